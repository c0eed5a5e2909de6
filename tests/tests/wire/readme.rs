//! The README's excerpts of the chat example match its source code.

const README: &str = include_str!("../../../README.md");
const CHAT: [&str; 2] = [
    include_str!("../../../examples/chat/src/hub.rs"),
    include_str!("../../../examples/chat/src/tests.rs"),
];

#[test]
fn every_excerpt_of_the_chat_is_in_the_chat() {
    let excerpts: Vec<_> = README
        .split("```rust,ignore\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();

    assert!(excerpts.len() >= 4, "only {} excerpts", excerpts.len());
    for excerpt in excerpts {
        assert!(CHAT.iter().any(|source| source.contains(excerpt)), "not in the chat:\n{excerpt}");
    }
}

#[test]
fn the_hub_file_of_the_chat_has_the_length_in_the_readme() {
    let lines = CHAT[0].lines().filter(|line| !line.trim().is_empty()).count();

    let sentence = format!("The complete file has {lines} lines, not counting blank lines.");
    assert!(lines <= 120 && README.contains(&sentence), "{lines} lines");
}
