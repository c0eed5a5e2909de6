//! Routing of requests by path and method.

use http::Method;
use hub_core::{Secret, upstream::WEBHOOK_PATH};

/// The upstream path behind a Functions host, which reserves all paths below `/runtime` and thus
/// [`WEBHOOK_PATH`].
const FORWARDED: &str = "/api/signalr";

/// The configured paths.
#[derive(Debug)]
pub(crate) struct Routes {
    prefix: String,
    upstream: Vec<String>,
    code: Option<Secret>,
}

/// The route of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Upstream,
    /// The hub name in the path, if there is one.
    Negotiate(Option<&'a str>),
    /// The same for requests to refresh.
    Refresh(Option<&'a str>),
    Health,
    /// The path exists, but not with this method. Contains the allowed methods.
    WrongMethod(&'static str),
    Unknown,
}

impl Routes {
    /// `upstream` contains paths in addition to the default paths. A segment in braces matches any segment
    /// that is not empty.
    pub(crate) fn new(prefix: &str, upstream: Vec<String>, code: Option<Secret>) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        let upstream =
            [WEBHOOK_PATH, FORWARDED].map(str::to_owned).into_iter().chain(upstream).collect();
        Self { prefix, upstream, code }
    }

    /// The prefix of all paths: empty, or a path without a trailing slash.
    #[cfg(any(feature = "deploy", feature = "lambda"))]
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Finds the route of a request. Hub names are not percent-decoded, because valid names have no
    /// characters that must be encoded.
    pub(crate) fn of<'a>(&self, method: &Method, path: &'a str) -> Route<'a> {
        let Some((prefix, path)) = path.split_at_checked(self.prefix.len()) else {
            return Route::Unknown;
        };
        if !prefix.eq_ignore_ascii_case(&self.prefix) {
            return Route::Unknown;
        }
        if self.upstream.iter().any(|template| matches_template(template, path)) {
            return only(method, "POST", Route::Upstream);
        }
        if path == "/health" {
            return only(method, "GET, HEAD", Route::Health);
        }
        if let Some(hub) = hub_path(path, "refresh") {
            // The response to another method is JSON.
            return Route::Refresh(hub);
        }
        match hub_path(path, "negotiate") {
            Some(hub) => only(method, "POST, OPTIONS", Route::Negotiate(hub)),
            None => Route::Unknown,
        }
    }

    /// Whether upstream calls must have a code in the query.
    pub(crate) fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// Whether the query contains the configured code. The comparison takes constant time.
    pub(crate) fn code_fits(&self, query: Option<&str>) -> bool {
        let Some(code) = &self.code else { return true };
        let query = hub_core::Query::parse(query.unwrap_or_default());
        let given = query.get("code").unwrap_or_default();
        // Both codes serve as keys to sign the same text. Equal signatures mean equal codes, and `verify`
        // compares signatures in constant time.
        let signed = hub_core::signature::sign(&Secret::from(given), WEBHOOK_PATH);
        hub_core::signature::verify(
            std::iter::once(signed.as_bytes()),
            WEBHOOK_PATH,
            std::slice::from_ref(code),
        )
    }
}

fn only<'a>(method: &Method, allowed: &'static str, route: Route<'a>) -> Route<'a> {
    let method = method.as_str();
    let known = allowed == method || allowed.split(", ").any(|name| name == method);
    if known { route } else { Route::WrongMethod(allowed) }
}

/// Matches `/{hub}/negotiate`, `/api/{hub}/negotiate`, `/negotiate` and `/api/negotiate` for the name `negotiate`,
/// ignoring case. Returns `None` for other paths, and `Some(None)` for a path without a hub.
fn hub_path<'a>(path: &'a str, name: &str) -> Option<Option<&'a str>> {
    let segments: Vec<_> = path.strip_prefix('/')?.split('/').collect();
    let (last, before) = segments.split_last()?;
    if !last.eq_ignore_ascii_case(name) {
        return None;
    }
    match before {
        [] => Some(None),
        [hub] if hub.eq_ignore_ascii_case("api") => Some(None),
        [hub] => Some(Some(hub)),
        [api, hub] if api.eq_ignore_ascii_case("api") => Some(Some(hub)),
        _ => None,
    }
}

fn matches_template(template: &str, path: &str) -> bool {
    if template.eq_ignore_ascii_case(path) {
        return true;
    }
    let (mut left, mut right) = (template.split('/'), path.split('/'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) => {
                let any = pattern.starts_with('{') && pattern.ends_with('}') && !segment.is_empty();
                if !any && !pattern.eq_ignore_ascii_case(segment) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        Routes::new("", vec!["/hooks/{hub}/{category}/{event}".to_owned()], None)
    }

    fn post(path: &str) -> Route<'_> {
        routes().of(&Method::POST, path)
    }

    #[test]
    fn negotiate_is_found_with_and_without_a_hub_in_any_case() {
        assert_eq!(post("/chat/negotiate"), Route::Negotiate(Some("chat")));
        assert_eq!(post("/API/Chat/Negotiate"), Route::Negotiate(Some("Chat")));
        assert_eq!(post("/api/negotiate"), Route::Negotiate(None));
        assert_eq!(post("/negotiate"), Route::Negotiate(None));
        assert_eq!(post("/a/b/negotiate"), Route::Unknown);
    }

    #[test]
    fn refresh_has_the_paths_of_negotiate_for_every_method() {
        assert_eq!(post("/chat/refresh"), Route::Refresh(Some("chat")));
        assert_eq!(post("/API/Chat/Refresh"), Route::Refresh(Some("Chat")));
        assert_eq!(post("/api/refresh"), Route::Refresh(None));
        assert_eq!(routes().of(&Method::GET, "/chat/refresh"), Route::Refresh(Some("chat")));
        assert_eq!(post("/a/b/refresh"), Route::Unknown);
    }

    #[test]
    fn upstream_paths_may_be_templates() {
        assert_eq!(post("/runtime/webhooks/signalr"), Route::Upstream);
        assert_eq!(post("/api/signalr"), Route::Upstream);
        assert_eq!(post("/hooks/chat/messages/send"), Route::Upstream);
        assert_eq!(post("/hooks/chat/messages"), Route::Unknown);
        assert_eq!(
            routes().of(&Method::GET, "/runtime/webhooks/signalr"),
            Route::WrongMethod("POST")
        );
    }

    #[test]
    fn a_prefix_applies_to_every_route() {
        let routes = Routes::new("realtime/", Vec::new(), None);

        assert_eq!(routes.of(&Method::GET, "/realtime/health"), Route::Health);
        assert_eq!(routes.of(&Method::GET, "/Realtime/health"), Route::Health);
        assert_eq!(routes.of(&Method::GET, "/health"), Route::Unknown);
    }

    #[test]
    fn a_configured_code_must_match() {
        let routes = Routes::new("", Vec::new(), Some(Secret::from("s3cret")));

        assert!(routes.code_fits(Some("code=s3cret")));
        assert!(!routes.code_fits(Some("code=s3cre")));
        assert!(!routes.code_fits(None));
        assert!(Routes::new("", Vec::new(), None).code_fits(None));
    }
}
