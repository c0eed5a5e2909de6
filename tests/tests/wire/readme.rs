//! The README has the code of the examples.

const README: &str = include_str!("../../../README.md");
const CHAT: &str = include_str!("../../../examples/chat/src/hub.rs");
const APP: &str = include_str!("../../src/bin/readme-app.rs");

#[test]
fn the_hub_of_the_readme_is_the_program_that_the_tests_run() {
    let (_, rest) = README.split_once("```rust,no_run\n").unwrap();
    let (_, app) = APP.split_once("\n\n").unwrap();
    assert_eq!(rest.split("```").next().unwrap(), app);
}

#[test]
fn the_hub_file_of_the_chat_has_the_length_in_the_readme() {
    let lines = CHAT.lines().filter(|line| !line.trim().is_empty()).count();

    let sentence = format!("The complete file has {lines} lines, not counting blank lines.");
    assert!(lines <= 120 && README.contains(&sentence), "{lines} lines");
}
