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
/// their docs are the list below the heading `# Arguments`.
pub(super) fn split(docs: &str) -> (String, Vec<(&str, String)>) {
    let mut text = Vec::new();
    let mut parameters: Vec<(&str, String)> = Vec::new();
    let mut in_list = false;
    for line in docs.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') {
            in_list = matches!(trimmed.trim_start_matches('#').trim(), "Arguments" | "Parameters");
            if in_list {
                continue;
            }
        }
        if !in_list {
            text.push(line);
            continue;
        }
        let item = trimmed.strip_prefix(['*', '-']).and_then(|item| item.trim().strip_prefix('`'));
        match (item.and_then(|item| item.split_once('`')), parameters.last_mut()) {
            (Some((name, docs)), _) => {
                let docs = docs.trim_start_matches([':', '-', '–', ' ']);
                parameters.push((name, docs.to_owned()));
            }
            (None, Some((_, docs))) if !trimmed.is_empty() => {
                docs.push(' ');
                docs.push_str(trimmed);
            }
            _ => {}
        }
    }
    (text.join("\n").trim().to_owned(), parameters)
}
