//! Doc comments.

use super::layout::Doc;

/// The docs, then the notes.
pub(super) fn with_notes(docs: &str, notes: &[&str]) -> String {
    let notes = notes.join(" ");
    match (docs.is_empty(), notes.is_empty()) {
        (_, true) => docs.to_owned(),
        (true, false) => notes,
        (false, false) => format!("{docs}\n\n{notes}"),
    }
}

/// A doc comment and a line break. Nothing for empty docs.
pub(super) fn comment(docs: &str) -> Vec<Doc> {
    let docs = docs.trim().replace("*/", "*\\/");
    let lines: Vec<_> = docs.lines().map(str::trim_end).collect();
    let mut parts = Vec::new();
    match lines[..] {
        [] => return parts,
        [line] => parts.push(Doc::text(format!("/** {line} */"))),
        _ => {
            parts.push(Doc::text("/**"));
            for line in lines {
                parts.push(Doc::HardLine);
                parts.push(Doc::text(format!(" * {line}").trim_end()));
            }
            parts.extend([Doc::HardLine, Doc::text(" */")]);
        }
    }
    parts.push(Doc::HardLine);
    parts
}

/// The docs of a method: the text, and the docs of its parameters by name. Rust has no doc comments on parameters;
/// their docs are the list below the heading `# Arguments`. With `any`, the first item is a parameter under any name. All
/// other lines are text.
pub(super) fn split<'a>(
    docs: &'a str,
    names: &[&str],
    any: bool,
) -> (String, Vec<(&'a str, String)>) {
    let mut text = Vec::new();
    let mut parameters: Vec<(&str, String)> = Vec::new();
    let (mut in_list, mut in_item) = (false, false);
    for line in docs.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') {
            in_list = matches!(trimmed.trim_start_matches('#').trim(), "Arguments" | "Parameters");
            in_item = false;
            if in_list {
                continue;
            }
        }
        let known =
            |name: &&str, known: &[_]| names.contains(name) || any && <[_]>::is_empty(known);
        let of_item = item(trimmed).filter(|(name, _)| in_list && known(name, &parameters));
        match (of_item, parameters.last_mut()) {
            (Some((name, docs)), _) => {
                in_item = true;
                parameters.push((name, docs.to_owned()));
            }
            (None, Some((_, docs))) if in_item && is_continuation(trimmed) => {
                docs.push(' ');
                docs.push_str(trimmed);
            }
            _ => {
                in_item = false;
                text.push(line);
            }
        }
    }
    (text.join("\n").trim().to_owned(), parameters)
}

/// The name and the docs of an item of a list.
fn item(line: &str) -> Option<(&str, &str)> {
    let item = line.strip_prefix(['*', '-']).filter(|item| item.starts_with(' '))?.trim();
    let (name, docs) = match item.strip_prefix('`') {
        Some(quoted) => quoted.split_once('`')?,
        None => {
            let is_part = |letter: char| letter == '_' || letter.is_alphanumeric();
            item.split_at(item.find(|letter| !is_part(letter)).unwrap_or(item.len()))
        }
    };
    Some((name, docs.trim_start_matches([':', '-', '–', ' '])))
}

/// Whether a line continues the item before it. An empty line or another item ends the item.
fn is_continuation(line: &str) -> bool {
    !line.is_empty() && item(line).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_the_list_are_parameters_and_all_other_lines_are_text() {
        let docs = "Draws.\n\n# Arguments\n\n* `a` - one,\n  more\n* b: two\n* `other` - kept\n  also\n\nThe end.";

        let (text, parameters) = split(docs, &["a", "b"], false);

        assert_eq!(parameters, [("a", "one, more".to_owned()), ("b", "two".to_owned())]);
        assert_eq!(text, "Draws.\n\n\n* `other` - kept\n  also\n\nThe end.");
    }

    #[test]
    fn a_parameter_of_all_arguments_has_the_first_item_under_any_name() {
        let (text, parameters) = split("# Arguments\n* `x` - one\n* `y` - two", &["args"], true);

        assert_eq!(parameters, [("x", "one".to_owned())]);
        assert_eq!(text, "* `y` - two");
    }
}
