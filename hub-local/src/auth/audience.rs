//! Compares the path of a token's audience with the called resource. Scheme, host and port are ignored: the
//! app that makes the token often calls the service by another name than clients do (Compose, proxies), and
//! only the holders of the keys can make tokens.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::query::Query;

/// The parts of an audience that matter for the comparison.
pub(super) struct Audience<'a> {
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Audience<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let known = ["http", "https", "ws", "wss"];
        if !known.iter().any(|name| name.eq_ignore_ascii_case(scheme)) {
            return None;
        }
        let (_, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Some(match resource.split_once('?') {
            Some((path, query)) => Self { path, query: Some(query) },
            None => Self { path: resource, query: None },
        })
    }

    /// Whether this audience is the `/client` URL of the hub.
    pub(super) fn is_client_of(&self, hub: &str) -> bool {
        let named_hub = Query::new(self.query).first("hub");
        self.path.trim_end_matches('/').eq_ignore_ascii_case("/client")
            && named_hub.is_some_and(|named| named.eq_ignore_ascii_case(hub))
    }

    /// Whether this audience is the resource at `path`.
    pub(super) fn is_resource(&self, path: &str) -> bool {
        self.path == path || decoded(self.path).eq_ignore_ascii_case(&decoded(path))
    }
}

fn decoded(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_are_parsed() {
        let parse = |text| Audience::parse(text).map(|it| (it.path, it.query));

        assert_eq!(
            parse("http://localhost:8888/client/?hub=chat"),
            Some(("/client/", Some("hub=chat")))
        );
        assert_eq!(parse("HTTPS://[::1]:1/a"), Some(("/a", None)));
        assert_eq!(parse("http://[::1]/a"), Some(("/a", None)));
        assert_eq!(parse("http://host"), Some(("", None)));
        assert_eq!(parse("ftp://host/"), None);
        assert_eq!(parse("host"), None);
    }
}
