//! Origins of pages (RFC 6454 §7), as an operator writes them and as a browser sends them.

use crate::host;

/// Why an origin cannot be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginProblem {
    /// `*`, all pages.
    #[error("`*` is not an origin")]
    Any,
    /// `null`, the origin of files and of sandboxed frames of any page.
    #[error("`null` is the origin of files and of sandboxed frames of any page")]
    Null,
    /// Not a scheme, a host and an optional port.
    #[error(
        "write scheme, host and port only, like https://app.example, https://*.app.example or capacitor://localhost"
    )]
    Malformed,
}

/// The allowed origins of pages.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// Allows these origins; those with a [`problem`](Self::problem) allow nothing.
    #[must_use]
    pub fn new<O: AsRef<str>>(configured: impl IntoIterator<Item = O>) -> Self {
        Self(configured.into_iter().filter_map(|origin| as_sent(origin.as_ref()).ok()).collect())
    }

    /// The problem with a configured origin, if there is one.
    #[must_use]
    pub fn problem(configured: &str) -> Option<OriginProblem> {
        as_sent(configured).err()
    }

    /// The origins in the form that browsers send.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether pages of this origin are allowed.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.iter().any(|allowed| match allowed.split_once("://*.") {
            None => allowed.eq_ignore_ascii_case(origin),
            Some((scheme, parent)) => is_below(origin, scheme, parent),
        })
    }
}

/// Whether an origin has this scheme, and a host below `parent`, which includes the port.
fn is_below(origin: &str, scheme: &str, parent: &str) -> bool {
    let Some((its_scheme, authority)) = origin.split_once("://") else { return false };
    let begins = authority.len().saturating_sub(parent.len());
    let (Some(labels), Some(end)) = (authority.get(..begins), authority.get(begins..)) else {
        return false;
    };
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    its_scheme.eq_ignore_ascii_case(scheme)
        && end.eq_ignore_ascii_case(parent)
        && labels.len() > 1
        && labels.ends_with('.')
        && labels.bytes().all(is_label)
}

/// The form in which browsers send an origin: in lower case, without the default port of the scheme and without
/// a slash at the end. A host may begin with `*.`.
fn as_sent(configured: &str) -> Result<String, OriginProblem> {
    let origin = configured.trim();
    match origin {
        "*" => return Err(OriginProblem::Any),
        _ if origin.eq_ignore_ascii_case("null") => return Err(OriginProblem::Null),
        _ => {}
    }
    let origin = origin.strip_suffix('/').unwrap_or(origin).to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://").ok_or(OriginProblem::Malformed)?;
    let plain = authority.strip_prefix("*.").unwrap_or(authority);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_host = host::without_port(plain).is_some_and(|host| !host.contains('*'));
    if !is_scheme || !is_host {
        return Err(OriginProblem::Malformed);
    }
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => ":",
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    Ok(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(configured: &str, origin: &str) -> bool {
        AllowedOrigins::new([configured]).allows(origin)
    }

    #[test]
    fn pages_of_native_shells_are_allowed() {
        for origin in [
            "ionic://localhost",
            "capacitor://localhost",
            "tauri://localhost",
            "http://tauri.localhost",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "app://.",
        ] {
            assert_eq!(AllowedOrigins::problem(origin), None, "{origin}");
            assert!(allows(origin, origin), "{origin}");
        }
    }

    #[test]
    fn default_ports_slashes_and_case_are_as_browsers_send_them() {
        for (configured, sent) in [
            ("https://app.example:443", "https://app.example"),
            ("http://app.example:80/", "http://app.example"),
            (" HTTPS://App.Example/ ", "https://app.example"),
            ("http://app.example:8080", "http://app.example:8080"),
            ("https://[::1]:443", "https://[::1]"),
        ] {
            assert!(allows(configured, sent), "{configured}");
        }
        assert!(!allows("http://app.example:443", "http://app.example"));
        assert!(!allows("https://app.example", "http://app.example"));
    }

    #[test]
    fn a_wildcard_allows_every_name_below_the_host() {
        let configured = "https://*.app.example:443";

        for sent in ["https://a.app.example", "https://a.b.app.example", "HTTPS://A.App.Example"] {
            assert!(allows(configured, sent), "{sent}");
        }
        for sent in [
            "https://app.example",
            "https://.app.example",
            "https://aapp.example",
            "http://a.app.example",
            "https://a.app.example:8443",
            "https://a.app.example.evil",
            "https://evil/x.app.example",
            "ü.app.example",
            "",
        ] {
            assert!(!allows(configured, sent), "{sent}");
        }
        assert!(allows("http://*.app.example:8080", "http://a.app.example:8080"));
    }

    #[test]
    fn other_texts_are_refused() {
        assert_eq!(AllowedOrigins::problem("*"), Some(OriginProblem::Any));
        assert_eq!(AllowedOrigins::problem("null"), Some(OriginProblem::Null));
        for wrong in [
            "app.example",
            "https://app.example/x",
            "https://app.example//",
            "https://app.example?x",
            "https://app.example#x",
            "https://ada:pw@app.example",
            "https://a.*.example",
            "https://*",
            "https://*.*.example",
            "file://",
            "://app.example",
            "1a://app.example",
            "",
        ] {
            assert_eq!(AllowedOrigins::problem(wrong), Some(OriginProblem::Malformed), "{wrong}");
        }
    }
}
