//! Keys of the document: AsyncAPI allows ASCII letters, digits, `.`, `-` and `_`.

use std::collections::BTreeSet;

/// A name with `_` for each character that a key cannot have.
pub(super) fn key(name: &str) -> String {
    let allowed =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let key: String = name.chars().map(|it| if allowed(it) { it } else { '_' }).collect();
    if key.is_empty() { "_".to_owned() } else { key }
}

/// Keys of one map.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeSet<String>);

impl Keys {
    /// The key of a name. If another name has it, a number follows.
    pub(super) fn of(&mut self, name: &str) -> String {
        let key = key(name);
        let numbered = (2..).map(|number| format!("{key}_{number}"));
        let mut candidates = std::iter::once(key.clone()).chain(numbered);
        // The numbers do not end, so a candidate is free.
        candidates.find(|key| self.0.insert(key.clone())).unwrap_or(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_only_allowed_characters_and_is_given_once() {
        let mut keys = Keys::default();

        let given = ["say it", "say_it", "größe", "a.b-c", "", "say/it"].map(|name| keys.of(name));

        assert_eq!(given, ["say_it", "say_it_2", "gr__e", "a.b-c", "_", "say_it_3"]);
    }
}
