//! Query strings: names are case-insensitive, values are decoded, order and duplicates are kept.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The pairs of one query string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// `query` excludes the question mark; `None` is an empty query.
    pub(crate) fn new(query: Option<&'a str>) -> Self {
        Self(query.unwrap_or_default())
    }

    /// All values with this name, in order.
    pub(crate) fn all(self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        pairs(self.0).filter_map(move |pair| {
            let (key, value) = split(pair);
            is_named(key, name).then(|| decode(value).into_owned())
        })
    }

    /// The first value with this name.
    pub(crate) fn first(self, name: &'a str) -> Option<String> {
        self.all(name).next()
    }

    /// The original query without the pairs with this name.
    pub(crate) fn without(self, name: &str) -> String {
        let keeps = |pair: &&str| !is_named(split(pair).0, name);
        pairs(self.0).filter(keeps).collect::<Vec<_>>().join("&")
    }
}

/// The parts between `&`. Queries are short, so that a search by words costs more than it saves.
fn pairs(query: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(query);
    std::iter::from_fn(move || {
        let (pair, after) = split_at_byte(rest.take()?, b'&');
        rest = after;
        Some(pair)
    })
}

fn split(pair: &str) -> (&str, &str) {
    let (key, value) = split_at_byte(pair, b'=');
    (key, value.unwrap_or_default())
}

/// The parts before and after the first separator, which is an ASCII character.
pub(crate) fn split_at_byte(text: &str, separator: u8) -> (&str, Option<&str>) {
    let at = text.bytes().position(|byte| byte == separator);
    let split = at.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)));
    split.map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Whether an encoded name is this name. Most names have no encoded characters, and need no decoder.
fn is_named(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name) || (is_encoded(key) && decode(key).eq_ignore_ascii_case(name))
}

fn is_encoded(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'%' | b'+'))
}

fn decode(text: &str) -> Cow<'_, str> {
    if !is_encoded(text) {
        return Cow::Borrowed(text);
    }
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_values_are_decoded() {
        let query = Query::new(Some("Hub=chat&x=a%2Fb+c&x=%C3%BC&flag"));

        assert_eq!(query.first("hub").as_deref(), Some("chat"));
        assert_eq!(query.all("X").collect::<Vec<_>>(), ["a/b c", "ü"]);
        assert_eq!(query.first("flag").as_deref(), Some(""));
        assert_eq!(query.first("none"), None);
    }

    #[test]
    fn a_name_is_removed_in_every_spelling() {
        let query = Query::new(Some("hub=chat&access_token=a&Access%5FToken=b&id=%2F"));

        assert_eq!(query.without("access_token"), "hub=chat&id=%2F");
        assert_eq!(Query::new(None).without("access_token"), "");
    }
}
