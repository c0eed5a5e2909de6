//! Compares the audience of a token with the URLs of this service. The scheme and the port are ignored,
//! because they differ between SDKs.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::query::Query;

/// The host names of this service.
#[derive(Clone, Copy)]
pub(super) struct Hosts<'a> {
    /// The host that the request was sent to.
    pub(super) requested: Option<&'a str>,
    pub(super) public_url: &'a str,
}

/// The parts of an audience that matter for the comparison.
pub(super) struct Audience<'a> {
    host: &'a str,
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
        let (authority, _) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = match rest.get(authority.len()..)?.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest.get(authority.len()..)?, None),
        };
        Some(Self { host: without_port(authority), path, query })
    }

    /// Whether this audience is the `/client` URL of the hub on a host of this service.
    pub(super) fn is_client_of(&self, hub: &str, hosts: Hosts<'_>) -> bool {
        let named_hub = Query::new(self.query).first("hub");
        self.is_at(hosts)
            && self.path.trim_end_matches('/').eq_ignore_ascii_case("/client")
            && named_hub.is_some_and(|named| named.eq_ignore_ascii_case(hub))
    }

    /// Whether this audience is the resource at `path` on a host of this service.
    pub(super) fn is_resource(&self, path: &str, hosts: Hosts<'_>) -> bool {
        let same_path =
            self.path == path || decoded(self.path).eq_ignore_ascii_case(&decoded(path));
        same_path && self.is_at(hosts)
    }

    fn is_at(&self, hosts: Hosts<'_>) -> bool {
        let public = Audience::parse(hosts.public_url).map(|url| url.host);
        let names = ["localhost", "127.0.0.1", "[::1]"];
        names
            .into_iter()
            .chain(hosts.requested.map(without_port))
            .chain(public)
            .any(|name| name.eq_ignore_ascii_case(self.host))
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
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
        let parse = |text| Audience::parse(text).map(|it| (it.host, it.path, it.query));

        assert_eq!(
            parse("http://localhost:8888/client/?hub=chat"),
            Some(("localhost", "/client/", Some("hub=chat")))
        );
        assert_eq!(parse("HTTPS://[::1]:1/a"), Some(("[::1]", "/a", None)));
        assert_eq!(parse("http://[::1]/a"), Some(("[::1]", "/a", None)));
        assert_eq!(parse("http://host"), Some(("host", "", None)));
        assert_eq!(parse("ftp://host/"), None);
        assert_eq!(parse("host"), None);
    }
}
