//! Negotiate: who a new connection belongs to.

use std::{fmt, time::Duration};

use http::HeaderMap;

use crate::invocation::{Claims, Query};

/// A client's request to connect, for the hub's `negotiate` to judge.
#[derive(Clone)]
pub struct NegotiateRequest {
    headers: HeaderMap,
    query: Query,
    trust_app_service: bool,
}

impl NegotiateRequest {
    /// A request with these headers and query. Headers that only App Service may set are not trusted.
    #[must_use]
    pub fn new(headers: HeaderMap, query: Query) -> Self {
        Self { headers, query, trust_app_service: false }
    }

    /// The same request behind App Service authentication, which strips those headers from outside.
    #[must_use]
    pub fn behind_app_service(mut self) -> Self {
        self.trust_app_service = true;
        self
    }

    /// All headers. Every one of them is the client's word.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// One header, if it is there once and readable text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// The query of the request.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The token of `Authorization: Bearer …`, not checked in any way.
    #[must_use]
    pub fn bearer_token(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    }

    /// The user that App Service authentication signed in.
    ///
    /// `None` unless the app runs behind it (`WEBSITE_AUTH_ENABLED=true`, or
    /// `trust_app_service_headers()` on the builder): anywhere else any client can send these headers.
    #[must_use]
    pub fn app_service_user(&self) -> Option<AppServiceUser> {
        if !self.trust_app_service {
            return None;
        }
        let id = self.header("x-ms-client-principal-id").filter(|id| !id.is_empty())?;
        Some(AppServiceUser {
            id: id.to_owned(),
            name: self.header("x-ms-client-principal-name").map(str::to_owned),
            provider: self.header("x-ms-client-principal-idp").map(str::to_owned),
        })
    }
}

impl fmt::Debug for NegotiateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values hold tokens.
        f.debug_struct("NegotiateRequest")
            .field(
                "headers",
                &self.headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(),
            )
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

/// A user that App Service authentication signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppServiceUser {
    /// The stable id.
    pub id: String,
    /// The display name; the user may choose it.
    pub name: Option<String>,
    /// The identity provider, `aad` or `github` for example.
    pub provider: Option<String>,
}

/// The answer of `negotiate`: who the connection belongs to.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Negotiation {
    user_id: Option<String>,
    claims: Vec<(String, String)>,
    lifetime: Duration,
}

impl Negotiation {
    /// The connection belongs to this user.
    pub fn user(id: impl Into<String>) -> Self {
        Self { user_id: Some(id.into()), ..Self::anonymous() }
    }

    /// Nobody in particular. Something one writes on purpose: such a connection reaches every method
    /// that no filter guards.
    pub fn anonymous() -> Self {
        Self { user_id: None, claims: Vec::new(), lifetime: Duration::from_hours(1) }
    }

    /// Adds a claim that filters and methods read; a type may repeat. The claims travel in the
    /// client's token, readable for its bearer, and about 2,000 bytes of them fit.
    pub fn claim(mut self, claim_type: impl Into<String>, value: impl Into<String>) -> Self {
        self.claims.push((claim_type.into(), value.into()));
        self
    }

    /// How long the token may be used to connect; one hour unless said otherwise. A WebSocket that is
    /// open outlives its token.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The user.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// The claims.
    #[must_use]
    pub fn claims(&self) -> Claims {
        self.claims.iter().cloned().collect()
    }

    /// How long the token may be used to connect.
    #[must_use]
    pub fn token_lifetime(&self) -> Duration {
        self.lifetime
    }
}

impl fmt::Debug for Negotiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiation")
            .field("claims", &self.claims.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> NegotiateRequest {
        let map = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        NegotiateRequest::new(map.collect(), Query::default())
    }

    #[test]
    fn the_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        assert_eq!(request(&[("authorization", "bearer abc")]).bearer_token(), Some("abc"));
        assert_eq!(request(&[("authorization", "Basic abc")]).bearer_token(), None);
        assert_eq!(request(&[("authorization", "Bearer ")]).bearer_token(), None);
    }

    #[test]
    fn app_service_headers_are_ignored_unless_app_service_is_in_front() {
        let request = request(&[("x-ms-client-principal-id", "ada")]);

        assert_eq!(request.app_service_user(), None);
        assert_eq!(request.behind_app_service().app_service_user().unwrap().id, "ada");
    }

    #[test]
    fn debug_output_shows_no_header_value_and_no_claim_value() {
        let shown = format!("{:?}", request(&[("authorization", "Bearer secret")]));
        let negotiation = format!("{:?}", Negotiation::user("ada").claim("role", "secret"));

        assert!(!shown.contains("secret"));
        assert!(!negotiation.contains("secret"));
    }
}
