//! The difference of two texts by lines.

use std::fmt::Write as _;

/// The number of unchanged lines around changes.
const CONTEXT: usize = 3;

/// The maximum size of the table of common subsequences. Above it, all changed lines are old, then new.
const MAX_TABLE: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Both(&'a str),
    Old(&'a str),
    New(&'a str),
}

/// The changed lines with `-` and `+`, and some lines around them, of two different texts.
pub(super) fn diff(old: &str, new: &str) -> String {
    if old.lines().eq(new.lines()) {
        return "only the ends of lines differ\n".to_owned();
    }
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let shared = |left: &mut dyn Iterator<Item = (&&str, &&str)>| {
        left.take_while(|(left, right)| left == right).count()
    };
    let start = shared(&mut old.iter().zip(&new));
    let end = shared(&mut old[start..].iter().rev().zip(new[start..].iter().rev()));
    let mut lines: Vec<_> = old[..start].iter().map(|line| Line::Both(line)).collect();
    changed(&old[start..old.len() - end], &new[start..new.len() - end], &mut lines);
    lines.extend(old[old.len() - end..].iter().map(|line| Line::Both(line)));

    let is_near = |at: usize| {
        let near = at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(lines.len());
        lines[near].iter().any(|line| !matches!(line, Line::Both(_)))
    };
    let mut text = String::new();
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        if !is_near(at) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            text.push_str("…\n");
        }
        let (mark, line) = match line {
            Line::Both(line) => (' ', line),
            Line::Old(line) => ('-', line),
            Line::New(line) => ('+', line),
        };
        let _ = writeln!(text, "{mark}{line}");
    }
    text
}

/// Adds the lines of both texts. The longest common subsequence stays.
fn changed<'a>(old: &[&'a str], new: &[&'a str], lines: &mut Vec<Line<'a>>) {
    let width = new.len() + 1;
    let size = (old.len() + 1).saturating_mul(width);
    if size > MAX_TABLE {
        lines.extend(old.iter().map(|line| Line::Old(line)));
        lines.extend(new.iter().map(|line| Line::New(line)));
        return;
    }
    // The length of the common subsequence of the rests of both texts.
    let mut lengths = vec![0_u32; size];
    for left in (0..old.len()).rev() {
        for right in (0..new.len()).rev() {
            lengths[left * width + right] = if old[left] == new[right] {
                lengths[(left + 1) * width + right + 1] + 1
            } else {
                lengths[(left + 1) * width + right].max(lengths[left * width + right + 1])
            };
        }
    }
    let (mut left, mut right) = (0, 0);
    while left < old.len() || right < new.len() {
        if left < old.len() && right < new.len() && old[left] == new[right] {
            lines.push(Line::Both(old[left]));
            (left, right) = (left + 1, right + 1);
        } else if right == new.len()
            || left < old.len()
                && lengths[(left + 1) * width + right] >= lengths[left * width + right + 1]
        {
            lines.push(Line::Old(old[left]));
            left += 1;
        } else {
            lines.push(Line::New(new[right]));
            right += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_are_marked_and_far_lines_are_left_out() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\nold\n9\n";
        let new = "1\n2\n3\n4\n5\n6\n7\n8\nnew\n9\nmore\n";

        assert_eq!(diff(old, new), "…\n 6\n 7\n 8\n-old\n+new\n 9\n+more\n");
    }

    #[test]
    fn lines_that_stay_between_changes_are_not_marked() {
        assert_eq!(diff("a\nb\nc\n", "x\nb\ny\n"), "-a\n+x\n b\n-c\n+y\n");
        assert_eq!(diff("", "a\n"), "+a\n");
    }

    #[test]
    fn texts_with_the_same_lines_differ_in_the_ends_of_lines() {
        for old in ["a\r\nb\r\n", "a\nb"] {
            assert_eq!(diff(old, "a\nb\n"), "only the ends of lines differ\n");
        }
    }

    /// The table would have 10^10 entries.
    #[test]
    fn long_texts_without_common_lines_need_no_table() {
        let text = |mark: &str| format!("{mark}\n").repeat(100_000);

        let diff = diff(&text("old"), &text("new"));

        assert_eq!(diff, format!("{}{}", text("-old"), text("+new")));
    }
}
