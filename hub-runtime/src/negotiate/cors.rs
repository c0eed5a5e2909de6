//! CORS for requests to negotiate and to refresh, which carry credentials.

use http::{HeaderMap, HeaderValue, Uri, header};
use hub_net::{
    host::is_loopback,
    log_limit::{LogLimit, shown},
    origin::{AllowedOrigins, OriginProblem},
};

/// How long a browser may cache the response to a preflight, in seconds.
const MAX_AGE_SECONDS: &str = "600";

/// The allowed origins. With the embedded service, all loopback origins are allowed too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    pub(crate) origins: AllowedOrigins,
    pub(crate) allow_loopback: bool,
}

impl Cors {
    /// The problem with a configured origin, if there is one.
    pub(crate) fn problem(origin: &str) -> Option<String> {
        let problem = match AllowedOrigins::problem(origin)? {
            OriginProblem::Any => "`*` cannot be allowed: SignalR clients send credentials, for which browsers refuse a wildcard; list the origins of your pages: allow_origin(\"https://app.example\"), or allow_origin(\"https://*.app.example\") for all names below a host".to_owned(),
            problem @ OriginProblem::Null => format!("{problem}: serve the page over HTTP, and allow its origin"),
            problem @ OriginProblem::Malformed => format!("`{origin}` is not an origin: {problem}"),
        };
        Some(problem)
    }

    /// The headers that allow the page to read the response. Always includes `Vary`, since the response
    /// depends on the origin.
    pub(crate) fn headers(&self, request: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = request.get(header::ORIGIN).filter(|origin| self.allows(origin)) else {
            return headers;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let yes = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        headers
    }

    /// [`Self::headers`] for a preflight.
    pub(crate) fn preflight_headers(&self, request: &HeaderMap, log: &LogLimit) -> HeaderMap {
        let mut headers = self.headers(request);
        if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            let origin = request.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
            log.line("origin", |omitted| {
                tracing::warn!(
                    origin = origin.map(shown).as_deref(),
                    omitted,
                    "a request from an origin that is not allowed; allow it with allow_origin(…) on the builder"
                );
            });
            return headers;
        }
        let methods = HeaderValue::from_static("POST, OPTIONS");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(asked) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECONDS));
        headers
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        if self.origins.allows(origin) {
            return true;
        }
        let uri: Option<Uri> = origin.parse().ok();
        self.allow_loopback && uri.is_some_and(|uri| uri.host().is_some_and(is_loopback))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &'static str) -> HeaderMap {
        [(header::ORIGIN, HeaderValue::from_static(origin))].into_iter().collect()
    }

    fn allowed(cors: &Cors, origin: &'static str) -> bool {
        cors.headers(&from(origin)).contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
    }

    #[test]
    fn only_the_listed_origin_is_echoed_with_credentials() {
        let cors =
            Cors { origins: AllowedOrigins::new(["https://app.example"]), allow_loopback: false };

        let headers = cors.headers(&from("https://app.example"));

        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(headers[header::VARY], "Origin");
        assert!(!allowed(&cors, "https://evil"));
        assert!(!allowed(&cors, "https://app.example.evil"));
        assert!(!allowed(&cors, "http://127.0.0.1:5173"));
    }

    #[test]
    fn loopback_pages_may_negotiate_with_the_embedded_service() {
        let cors = Cors { origins: AllowedOrigins::default(), allow_loopback: true };

        assert!(allowed(&cors, "http://localhost:5173"));
        assert!(allowed(&cors, "http://[::1]:80"));
        assert!(!allowed(&cors, "http://localhost.evil"));
        assert!(!allowed(&cors, "null"));
    }

    #[test]
    fn a_preflight_allows_the_requested_headers() {
        let cors = Cors { origins: AllowedOrigins::default(), allow_loopback: true };
        let mut request = from("http://localhost:5173");
        let asked = HeaderValue::from_static("authorization,x-requested-with");
        request.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, asked.clone());

        let headers = cors.preflight_headers(&request, &LogLimit::default());

        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_HEADERS], asked);
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_METHODS], "POST, OPTIONS");
    }

    #[test]
    fn an_origin_that_cannot_be_allowed_has_a_problem_with_the_fix() {
        for (origin, fix) in [
            ("*", "list the origins of your pages"),
            ("null", "serve the page over HTTP"),
            ("https://app.example/x", "write scheme, host and port only, like https://app.example"),
        ] {
            assert!(Cors::problem(origin).unwrap().contains(fix), "{origin}");
        }
        for origin in ["https://app.example/", "https://*.app.example", "ionic://localhost"] {
            assert_eq!(Cors::problem(origin), None, "{origin}");
        }
    }
}
