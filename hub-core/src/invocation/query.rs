//! The query of a client's connect request.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// A decoded query string. A name may occur several times.
#[derive(Clone, Default)]
// Shared by all calls of a connection; `None` is an empty query.
pub struct Query(Option<Arc<RawQuery>>);

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.pairs().iter().map(|(name, _)| name).collect::<Vec<_>>())
    }
}

struct RawQuery {
    raw: Box<str>,
    /// Decoded on first use, because most calls never read their query.
    pairs: OnceLock<Vec<(String, String)>>,
}

impl Query {
    /// Parses a raw query, with or without the leading `?`. The `access_token` of browsers is removed, so
    /// that it cannot leak into logs.
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        let raw = raw.strip_prefix('?').unwrap_or(raw).into();
        Self(Some(Arc::new(RawQuery { raw, pairs: OnceLock::new() })))
    }

    fn pairs(&self) -> &[(String, String)] {
        let Some(RawQuery { raw, pairs }) = self.0.as_deref() else { return &[] };
        pairs.get_or_init(|| {
            let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            });
            pairs.filter(|(name, _)| !name.eq_ignore_ascii_case("access_token")).collect()
        })
    }

    /// The first value of a name, compared exactly.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// Name and value of each parameter, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs().iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every value of a name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.pairs().iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.pairs() == other.pairs()
    }
}

impl Eq for Query {}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_loses_its_access_token() {
        let query = Query::parse("?hub=chat&room=a%20b&room=c+d&access_token=secret&flag");

        assert_eq!(query.get("hub"), Some("chat"));
        assert_eq!(query.all("room").collect::<Vec<_>>(), ["a b", "c d"]);
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("access_token"), None);
    }
}
