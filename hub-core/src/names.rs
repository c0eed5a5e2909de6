//! Validation, comparison and percent-encoding of names.
//!
//! `.` and `..` are refused, because URL libraries remove them from paths (RFC 3986 §5.2.4).

use std::{borrow::Cow, cmp::Ordering};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest hub name that the service accepts, in characters.
const MAX_HUB: usize = 128;
/// The longest group name that the service accepts, in characters.
const MAX_GROUP: usize = 1024;
/// The longest name in bytes for which similar names are suggested.
const MAX_SUGGESTED: usize = 64;
/// All characters except the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a name is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A hub name outside the service's alphabet.
    #[error(
        "a hub name starts with a letter and has at most 128 letters, digits or any of _ ` , . [ ]"
    )]
    Hub,
    /// Empty or only white space.
    #[error("a {kind} must not be empty")]
    Empty {
        /// The kind of the name.
        kind: &'static str,
    },
    /// More characters than the service accepts.
    #[error("a {kind} has at most {limit} characters")]
    TooLong {
        /// The kind of the name.
        kind: &'static str,
        /// The maximum number of characters.
        limit: usize,
    },
    /// A control character, which headers and paths cannot contain.
    #[error("a {kind} must not contain control characters")]
    Control {
        /// The kind of the name.
        kind: &'static str,
    },
    /// White space at an end. HTTP removes it from the value of a header (RFC 9110 §5.5).
    #[error("a {kind} must not begin or end with white space")]
    Blanks {
        /// The kind of the name.
        kind: &'static str,
    },
    /// `.` or `..`, which URL libraries remove from paths.
    #[error("a {kind} must not be `.` or `..`")]
    Dots {
        /// The kind of the name.
        kind: &'static str,
    },
}

/// The form in which event names are compared: ASCII lower case without `_`.
///
/// ```
/// use hub_core::names::matching_form;
/// assert_eq!(matching_form("send_message"), matching_form("SendMessage"));
/// ```
#[must_use]
pub fn matching_form(name: &str) -> String {
    name.chars().filter(|character| *character != '_').map(|c| c.to_ascii_lowercase()).collect()
}

/// Compares `form` with the matching form of `name`, without allocating the matching form of `name`.
pub(crate) fn compare_matching(form: &str, name: &str) -> Ordering {
    let matching = name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
    form.bytes().cmp(matching)
}

/// Checks a hub name (or application prefix).
///
/// # Errors
/// When the service would not accept the name.
pub fn check_hub(name: &str) -> Result<(), NameError> {
    let mut bytes = name.bytes();
    let starts_with_letter = bytes.next().is_some_and(|first| first.is_ascii_alphabetic());
    let fits = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_`,.[]".contains(&byte));
    if starts_with_letter && fits && name.len() <= MAX_HUB { Ok(()) } else { Err(NameError::Hub) }
}

/// Checks a group name.
///
/// # Errors
/// When it is blank, too long, `.` or `..`, or contains control characters.
pub fn check_group(name: &str) -> Result<(), NameError> {
    let kind = "group name";
    if name.trim().is_empty() {
        return Err(NameError::Empty { kind });
    }
    if name.chars().count() > MAX_GROUP {
        return Err(NameError::TooLong { kind, limit: MAX_GROUP });
    }
    check_text(name, kind)
}

/// Checks a user id.
///
/// # Errors
/// When it is empty, `.` or `..`, or contains control characters.
pub fn check_user(id: &str) -> Result<(), NameError> {
    check_text(id, "user id")
}

/// Checks the user id of a client. Upstream calls contain it as the value of a header.
///
/// # Errors
/// Those of [`check_user`]. Also when the user id begins or ends with white space.
pub fn check_upstream_user(id: &str) -> Result<(), NameError> {
    check_user(id)?;
    check_header(id, "user id")
}

/// Checks a connection id.
///
/// # Errors
/// When it is empty, `.` or `..`, or contains control characters.
pub fn check_connection_id(id: &str) -> Result<(), NameError> {
    check_text(id, "connection id")
}

/// Checks the name of a hub method or of a client method.
///
/// # Errors
/// When it is empty, `.` or `..`, or contains control characters.
pub fn check_event(name: &str) -> Result<(), NameError> {
    check_text(name, "method name")
}

/// Checks the name of a hub method in an upstream call, where it is the value of a header as well.
///
/// # Errors
/// As [`check_event`], and when it begins or ends with white space.
pub fn check_upstream_event(name: &str) -> Result<(), NameError> {
    check_event(name)?;
    check_header(name, "method name")
}

fn check_header(text: &str, kind: &'static str) -> Result<(), NameError> {
    if text.trim() == text { Ok(()) } else { Err(NameError::Blanks { kind }) }
}

fn check_text(text: &str, kind: &'static str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if text == "." || text == ".." {
        return Err(NameError::Dots { kind });
    }
    if text.chars().any(char::is_control) {
        return Err(NameError::Control { kind });
    }
    Ok(())
}

/// The name, if `check` accepts it.
pub(crate) fn checked(
    name: impl Into<String>,
    check: fn(&str) -> Result<(), NameError>,
) -> Result<String, NameError> {
    let name = name.into();
    check(&name).map(|()| name)
}

/// The names, if `check` accepts each of them.
pub(crate) fn all_checked(
    names: impl IntoIterator<Item: Into<String>>,
    check: fn(&str) -> Result<(), NameError>,
) -> Result<Vec<String>, NameError> {
    names.into_iter().map(|name| checked(name, check)).collect()
}

/// Percent-encodes one path segment: all characters except letters, digits and `-._~`.
///
/// ```
/// assert_eq!(hub_core::names::encode_segment("a/b ü"), "a%2Fb%20%C3%BC");
/// ```
#[must_use]
pub fn encode_segment(segment: &str) -> Cow<'_, str> {
    utf8_percent_encode(segment, RESERVED).into()
}

/// Returns the candidate that is most similar to a misspelt `name`, if it is similar enough.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (matching_form(name).chars().count() / 3).max(1);
    nearest_within(most, name, candidates)
}

/// Like [`nearest`], with at most this number of wrong, missing or additional characters.
#[must_use]
pub fn nearest_within<'a>(
    most: usize,
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > MAX_SUGGESTED {
        return None;
    }
    let wanted = matching_form(name);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_SUGGESTED)
        .map(|candidate| (distance(&wanted, &matching_form(candidate)), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, wanted) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (index, found) in right.iter().enumerate() {
            let above = row.get(index + 1).copied().unwrap_or(usize::MAX - 1);
            let cost = usize::from(wanted != *found);
            let best = (diagonal + cost).min(above + 1).min(before + 1);
            if let Some(cell) = row.get_mut(index) {
                *cell = before;
            }
            diagonal = above;
            before = best;
        }
        if let Some(last) = row.last_mut() {
            *last = before;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_ignoring_case_and_underscores() {
        assert_eq!(matching_form("Send_Message"), "sendmessage");
        assert_eq!(matching_form("größe_X"), "größex");
    }

    #[test]
    fn names_compare_equal_to_their_matching_forms() {
        let names = ["send", "Send_Message", "größe_X", "GRÖSSE", "_", "", "sendMessages"];

        for (left, right) in names.iter().flat_map(|left| names.map(|right| (left, right))) {
            let form = matching_form(left);
            assert_eq!(
                compare_matching(&form, right),
                form.cmp(&matching_form(right)),
                "{left} {right}"
            );
        }
    }

    #[test]
    fn hub_names_follow_the_service() {
        for good in ["chat", "C", "app_chat", "a`,.[]9", &"a".repeat(128)] {
            assert_eq!(check_hub(good), Ok(()), "{good}");
        }
        for bad in ["", "9a", "_a", "a b", "a/b", "..", "ä", &"a".repeat(129)] {
            assert_eq!(check_hub(bad), Err(NameError::Hub), "{bad}");
        }
    }

    #[test]
    fn groups_are_neither_blank_nor_dots_nor_too_long() {
        assert!(check_group("a/b").is_ok());
        assert!(check_group(&"ü".repeat(1024)).is_ok());
        assert!(check_group(&"ü".repeat(1025)).is_err());
        assert!(check_group(" \t").is_err());
        assert!(check_group("..").is_err());
        assert!(check_group(".").is_err());
        assert!(check_group("a\nb").is_err());
    }

    #[test]
    fn ids_and_events_refuse_dots_and_control_characters() {
        for check in [check_user, check_connection_id, check_event] {
            assert!(check("größe").is_ok());
            assert!(check("...").is_ok());
            for bad in ["", ".", "..", "a\r", "\u{7f}", "\u{85}"] {
                assert!(check(bad).is_err(), "{bad:?}");
            }
        }
    }

    #[test]
    fn values_of_headers_have_no_white_space_at_their_ends() {
        for check in [check_upstream_user, check_upstream_event] {
            assert_eq!(check("ada lovelace"), Ok(()));
            for bad in [" ada", "ada ", " ", "ada\u{a0}"] {
                assert!(matches!(check(bad), Err(NameError::Blanks { .. })), "{bad:?}");
            }
            assert!(check("").is_err() && check("..").is_err());
        }
    }

    #[test]
    fn segments_keep_only_unreserved_characters() {
        assert_eq!(encode_segment("aZ09-._~"), "aZ09-._~");
        assert_eq!(encode_segment("a+b%/?#:"), "a%2Bb%25%2F%3F%23%3A");
    }

    #[test]
    fn the_nearest_name_is_suggested_only_when_it_is_near() {
        let names = ["sendMessage", "join", "openRoom"];
        assert_eq!(nearest("sendMesage", names), Some("sendMessage"));
        assert_eq!(nearest("Jion", names), None);
        assert_eq!(nearest("joinn", names), Some("join"));
        assert_eq!(nearest("delete", names), None);
        assert_eq!(nearest(&"j".repeat(1_000_000), names), None);
    }

    #[test]
    fn the_distance_is_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
