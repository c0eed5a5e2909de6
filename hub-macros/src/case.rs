//! Client names: rename rules, the form in which names are compared, and valid names.

/// A rule that converts Rust names to client names. The rules have the same names as in serde.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RenameRule {
    Lower,
    Upper,
    Pascal,
    #[default]
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl RenameRule {
    /// The spellings of `rename_all`.
    pub(crate) const SPELLINGS: [(&'static str, Self); 8] = [
        ("lowercase", Self::Lower),
        ("UPPERCASE", Self::Upper),
        ("PascalCase", Self::Pascal),
        ("camelCase", Self::Camel),
        ("snake_case", Self::Snake),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("kebab-case", Self::Kebab),
        ("SCREAMING-KEBAB-CASE", Self::ScreamingKebab),
    ];

    pub(crate) fn from_spelling(spelling: &str) -> Option<Self> {
        Self::SPELLINGS.iter().find(|(known, _)| *known == spelling).map(|(_, rule)| *rule)
    }

    /// Applies the rule to a method name in snake case, which must not be raw.
    pub(crate) fn apply(self, method: &str) -> String {
        match self {
            Self::Lower | Self::Snake => method.to_owned(),
            Self::Upper | Self::ScreamingSnake => method.to_ascii_uppercase(),
            Self::Pascal => method.split('_').map(capitalised).collect(),
            Self::Camel => uncapitalised(&Self::Pascal.apply(method)),
            Self::Kebab => method.replace('_', "-"),
            Self::ScreamingKebab => Self::ScreamingSnake.apply(method).replace('_', "-"),
        }
    }
}

/// The form in which the runtime compares hub method names: ASCII lower case without `_`.
pub(crate) fn matching_form(name: &str) -> String {
    name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

/// Returns why a client name is invalid, or `None` for a valid name.
pub(crate) fn name_problem(name: &str) -> Option<&'static str> {
    if matching_form(name).is_empty() {
        return Some("names are compared without `_`, and this name has no other characters");
    }
    if name == "." || name == ".." {
        return Some("`.` and `..` are path segments of a URL");
    }
    name.chars().any(char::is_control).then_some("names cannot contain control characters")
}

/// Whether the service accepts this type name as a hub name.
pub(crate) fn is_hub_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether the service accepts this hub name, and URL paths need no escapes for it.
///
/// The service also accepts backticks and brackets, but browsers escape them.
pub(crate) fn is_chosen_hub_name(name: &str) -> bool {
    is_hub_name(&name.replace(['.', ','], "_"))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn uncapitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_serde_meaning() {
        let renamed = RenameRule::SPELLINGS.map(|(_, rule)| rule.apply("send_message"));

        assert_eq!(
            renamed,
            [
                "send_message",
                "SEND_MESSAGE",
                "SendMessage",
                "sendMessage",
                "send_message",
                "SEND_MESSAGE",
                "send-message",
                "SEND-MESSAGE",
            ]
        );
    }

    #[test]
    fn camel_case_is_the_default_and_takes_odd_underscores() {
        for (method, name) in [
            ("join", "join"),
            ("_join", "join"),
            ("send__message_", "sendMessage"),
            ("match", "match"),
            ("v2_api", "v2Api"),
            ("größe_über", "größeüber"),
        ] {
            assert_eq!(RenameRule::default().apply(method), name);
        }
    }

    #[test]
    fn the_matching_form_ignores_case_and_underscores() {
        assert_eq!(matching_form("Send_Message"), "sendmessage");
        assert_eq!(matching_form("größe_X"), "größex");
    }

    #[test]
    fn names_that_cannot_be_called_are_refused() {
        for bad in ["", "_", "__", ".", "..", "a\nb", "\u{7f}"] {
            assert!(name_problem(bad).is_some(), "{bad:?}");
        }
        for good in ["a", "_a", "...", "send message", "größe"] {
            assert!(name_problem(good).is_none(), "{good:?}");
        }
    }

    #[test]
    fn hub_names_follow_the_service() {
        assert!(is_hub_name("Chat_2"));
        for bad in ["", "_Chat", "2Chat", "Über", "Größe"] {
            assert!(!is_hub_name(bad), "{bad:?}");
        }
        assert!(!is_hub_name(&"a".repeat(129)));
        assert!(is_chosen_hub_name("app.chat,2"));
        for bad in ["", ".chat", "a b", "a/b", "a[b]", "größe"] {
            assert!(!is_chosen_hub_name(bad), "{bad:?}");
        }
    }
}
