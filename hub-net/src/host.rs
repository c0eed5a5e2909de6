//! The host that a request names, and the names that a server answers.
//!
//! A page can give its own name the address of this machine as a second address (DNS rebinding). The browser
//! then takes the server for the page's own origin, and the name stays in `Host`. IP addresses, `localhost`
//! and names without a dot are not in the public DNS, so no page can rebind them.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, Uri, header::HOST};

const MAX_NAME_BYTES: usize = 255;
/// Names of the host machine inside the containers of Docker and Podman.
const CONTAINER_HOSTS: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// Why a request has no valid host (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// No `Host` line.
    #[error("an HTTP/1.1 request needs a Host header (RFC 9112, section 3.2)")]
    Missing,
    /// More than one `Host` line.
    #[error("the request has more than one Host header (RFC 9112, section 3.2)")]
    Several,
    /// Not a host with an optional port.
    #[error("the Host header is not a host with an optional port (RFC 9112, section 3.2)")]
    Invalid,
}

/// The host of a request, without its port: that of its URI (absolute form, or `:authority` of HTTP/2),
/// otherwise that of `Host` (RFC 9112 §3.2.2). `None` without either.
///
/// # Errors
/// When there are several `Host` lines, or the host is invalid.
pub fn of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Option<&'a str>, HostError> {
    let mut lines = headers.get_all(HOST).iter();
    let line =
        lines.next().map(|line| line.to_str().map_err(|_| HostError::Invalid)).transpose()?;
    if lines.next().is_some() {
        return Err(HostError::Several);
    }
    let parse = |text| without_port(text).ok_or(HostError::Invalid);
    let line = line.map(parse).transpose()?;
    let target = uri.authority().map(|authority| parse(authority.as_str())).transpose()?;
    Ok(target.or(line))
}

/// The host of `host [":" port]`: at most 255 bytes (RFC 3986 §3.2.2) and not empty (RFC 9110 §4.2.1). `None`
/// for other texts.
#[must_use]
pub fn without_port(authority: &str) -> Option<&str> {
    let end = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.bytes().position(|byte| byte == b':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => (1..=MAX_NAME_BYTES).contains(&host.len()) && is_registered_name(host.as_bytes()),
    };
    let is_port = match port.strip_prefix(':') {
        Some(port) => {
            port.is_empty()
                || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    (is_host && is_port).then_some(host)
}

/// Whether a byte is `unreserved` or one of `sub-delims` (RFC 3986 §2.2, §2.3). A table, because each request is
/// checked.
const IN_NAMES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~!$&'()*+,;=";
    let mut other = 0;
    while other < others.len() {
        table[others[other] as usize] = true;
        other += 1;
    }
    table
};

/// `reg-name` of RFC 3986 §3.2.2.
fn is_registered_name(mut name: &[u8]) -> bool {
    if name.iter().all(|byte| IN_NAMES[usize::from(*byte)]) {
        return true;
    }
    while let [first, after @ ..] = name {
        name = match (first, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            (first, after) if IN_NAMES[usize::from(*first)] => after,
            _ => return false,
        };
    }
    true
}

/// The host of a URL or of an origin, without its port.
#[must_use]
pub fn of_url(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    without_port(authority).filter(|_| !scheme.is_empty())
}

/// Whether a host is this machine in every network: `localhost`, a name below it (RFC 6761 §6.3), or a
/// loopback address.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let is_localhost = name(host).rsplit('.').next();
    is_localhost.is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
        || address(host).is_some_and(|address| address.to_canonical().is_loopback())
}

/// A name without the dot of the DNS root.
fn name(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn address(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// The hosts that a server answers: those that no page can rebind, and the configured names.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Allows these names, too. `*.example.com` allows every name below `example.com`.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// The problem with a configured name, if there is one.
    #[must_use]
    pub fn problem(configured: &str) -> Option<String> {
        let plain = configured.strip_prefix("*.").unwrap_or(configured);
        let is_name = !plain.contains([':', '*']) && without_port(plain).is_some();
        (!is_name).then(|| {
            format!("`{configured}` is not a host name: write it without scheme and port, like app.example or *.app.example")
        })
    }

    /// Whether requests with this host are answered.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let name = name(host);
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (!name.is_empty() && name.bytes().all(is_word))
            || is_loopback(host)
            || address(host).is_some()
            || CONTAINER_HOSTS.iter().any(|known| known.eq_ignore_ascii_case(name))
            || self.0.iter().any(|allowed| matches(allowed, name))
    }

    /// The text of a refusal with status 403.
    #[must_use]
    pub fn refusal(host: &str) -> String {
        format!(
            "requests for the host {host} are refused, because any page can point its name to this machine (DNS rebinding): use an IP address or localhost, or allow the host with HUB_LOCAL_HOSTS={host} (hub-local: --allow-host {host}; in code: allow_host(\"{host}\"))"
        )
    }
}

fn matches(allowed: &str, name: &str) -> bool {
    match allowed.strip_prefix('*') {
        // The rest begins with a dot.
        Some(below) => {
            let begins = name.len().checked_sub(below.len()).filter(|begins| *begins > 0);
            begins
                .and_then(|begins| name.get(begins..))
                .is_some_and(|end| end.eq_ignore_ascii_case(below))
        }
        None => allowed.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_host_has_an_optional_port_and_nothing_else() {
        for (authority, host) in [
            ("a.example:80", "a.example"),
            ("a_b", "a_b"),
            ("localhost:", "localhost"),
            ("[::1]:8888", "[::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("%C3%BC.example", "%C3%BC.example"),
        ] {
            assert_eq!(without_port(authority), Some(host), "{authority}");
        }
        for wrong in [
            "",
            ":80",
            "a b",
            "a:b",
            "a:+1",
            "a:65536",
            "a:80:80",
            "a/b",
            "user@a",
            "a,b\t",
            "[::1",
            "[::1]x",
            "[a]",
            "[127.0.0.1]",
            "::1",
            "a%2",
            "ü",
            "a\\b",
            "a?b",
        ] {
            assert_eq!(without_port(wrong), None, "{wrong}");
        }
        assert!(without_port(&"a".repeat(255)).is_some());
        assert!(without_port(&"a".repeat(256)).is_none());
    }

    #[test]
    fn the_host_of_the_target_precedes_the_header() {
        let lines = |hosts: &[&'static str]| -> HeaderMap {
            hosts.iter().map(|host| (HOST, HeaderValue::from_static(host))).collect()
        };
        let host = |uri: &str, hosts: &[&'static str]| {
            of(&uri.parse().unwrap(), &lines(hosts)).map(|host| host.map(str::to_owned))
        };

        assert_eq!(host("/", &["a:1"]), Ok(Some("a".to_owned())));
        assert_eq!(host("http://b:2/", &["a:1"]), Ok(Some("b".to_owned())));
        assert_eq!(host("/", &[]), Ok(None));
        assert_eq!(host("/", &["a", "a"]), Err(HostError::Several));
        assert_eq!(host("/", &["a b"]), Err(HostError::Invalid));
        assert_eq!(host("http://b/", &["a b"]), Err(HostError::Invalid));
        assert_eq!(host("http://user@b/", &["b"]), Err(HostError::Invalid));
    }

    #[test]
    fn hosts_that_no_page_can_rebind_are_allowed() {
        let allowed = AllowedHosts::default();

        for host in [
            "127.0.0.1",
            "192.168.0.7",
            "203.0.113.9",
            "[::1]",
            "[2001:db8::1]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "chat.localhost",
            "signalr",
            "my_service",
            "signalr-1",
            "host.docker.internal",
            "Host.Containers.Internal",
        ] {
            assert!(allowed.allows(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example.",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.1",
            "evil%2Eexample",
            "docker.internal",
            "x.host.docker.internal",
            "notlocalhost.x",
        ] {
            assert!(!allowed.allows(host), "{host}");
        }
    }

    #[test]
    fn configured_names_are_allowed_in_any_case() {
        let allowed = AllowedHosts::new(["Live.Example", "*.app.example"].map(str::to_owned));

        for host in ["live.example", "LIVE.example.", "a.app.example", "a.b.App.Example"] {
            assert!(allowed.allows(host), "{host}");
        }
        for host in
            ["live.example.evil.example", "x.live.example", "app.example", "evilapp.example"]
        {
            assert!(!allowed.allows(host), "{host}");
        }
    }

    #[test]
    fn a_configured_name_has_no_scheme_and_no_port() {
        for name in ["app.example", "*.app.example", "app"] {
            assert_eq!(AllowedHosts::problem(name), None);
        }
        for wrong in
            ["", "*", "*.", "app.*", "https://app.example", "app.example:80", "a b", "*.*.x"]
        {
            assert!(AllowedHosts::problem(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn loopback_is_localhost_and_the_addresses_of_this_machine() {
        for host in
            ["localhost", "a.localhost", "LOCALHOST.", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.evil", "evil-localhost", "0.0.0.0", "[::]", "10.0.0.1", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn the_host_of_a_url_is_read() {
        for (url, host) in [
            ("https://live.example:443/a?b", Some("live.example")),
            ("http://[::1]:80", Some("[::1]")),
            ("tauri://localhost", Some("localhost")),
            ("null", None),
            ("file://", None),
            ("http://a@b", None),
        ] {
            assert_eq!(of_url(url), host, "{url}");
        }
    }
}
