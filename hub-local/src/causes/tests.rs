use std::collections::HashSet;

use hub_net::host::AllowedHosts;

use super::*;

const README: &str = include_str!("../../README.md");

/// The rows of the README's table.
fn rows() -> Vec<&'static str> {
    let (_, after) = README.split_once("### What to check\n").unwrap();
    let table = after.lines().skip_while(|line| !line.starts_with("|---"));
    table.skip(1).take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn the_table_of_the_readme_has_the_texts_of_the_code() {
    let expected: Vec<_> = Cause::ALL
        .iter()
        .map(|cause| format!("| `{}` | {} | {} |", cause.id(), cause.text(), cause.check()))
        .collect();

    let differing = rows().iter().zip(&expected).position(|(row, expected)| row != expected);
    let number = differing.unwrap_or(rows().len().min(expected.len()));
    assert!(
        rows() == expected,
        "row {number} of the table differs:\n{:?}\n{:?}\nThe table must be:\n{}",
        rows().get(number),
        expected.get(number),
        expected.join("\n")
    );
}

#[test]
fn each_cause_has_a_name_of_its_own_and_fits_into_a_row_and_a_sentence() {
    let ids: HashSet<_> = Cause::ALL.iter().map(|cause| cause.id()).collect();
    assert_eq!(ids.len(), Cause::ALL.len());

    for cause in Cause::ALL {
        let (id, text, check) = (cause.id(), cause.text(), cause.check());
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{id}");
        for part in [text, check] {
            assert!(!part.is_empty() && !part.contains(['|', '\n']), "{id}: {part}");
            assert!(!part.ends_with(['.', ':']), "{id}: {part}");
            assert_eq!(part.matches('`').count() % 2, 0, "{id}: {part}");
        }
    }
}

#[test]
fn the_refusal_of_a_host_begins_with_the_text_of_its_cause() {
    let text = Cause::WrongHost.text().replace('…', "app.example");
    assert!(AllowedHosts::refusal("app.example").starts_with(&text));
}
