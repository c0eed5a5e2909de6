//! A client's request to connect.

use std::{fmt, net::IpAddr, time::SystemTime};

use http::{HeaderMap, HeaderName};

use super::{AppServiceUser, app_service};
use crate::invocation::{Claims, Query};
#[cfg(feature = "bearer")]
use crate::token::{TokenError, TokenVerifier};

/// A client's request to connect, the parameter of the hub's `negotiate`.
#[derive(Clone)]
pub struct NegotiateRequest {
    headers: HeaderMap,
    /// The headers of App Service. They are not used before [`Self::behind_app_service`] is called.
    principal: HeaderMap,
    query: Query,
    trust_app_service: bool,
    #[cfg_attr(not(feature = "bearer"), allow(dead_code, reason = "used only by token verifiers"))]
    received_at: Option<SystemTime>,
    client_address: Option<IpAddr>,
}

// Header values contain tokens.
impl fmt::Debug for NegotiateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "NegotiateRequest({:?}, {:?})",
            self.headers.keys().collect::<Vec<_>>(),
            self.query
        )
    }
}

impl NegotiateRequest {
    /// Creates a request with these headers and query. The headers of App Service (`x-ms-client-principal…`) are
    /// not trusted and are removed.
    #[must_use]
    pub fn new(mut headers: HeaderMap, query: Query) -> Self {
        let names = headers.keys().filter(|name| is_principal(name));
        let names: Vec<HeaderName> = names.cloned().collect();
        // If a header occurs twice, one of the values may come from the client. All headers of App Service are
        // then ignored.
        let ambiguous = names.iter().any(|name| headers.get_all(name).iter().nth(1).is_some());
        let mut principal = HeaderMap::new();
        for name in names {
            match headers.remove(&name) {
                Some(value) if !ambiguous => principal.insert(name, value),
                _ => None,
            };
        }
        Self {
            headers,
            principal,
            query,
            trust_app_service: false,
            received_at: None,
            client_address: None,
        }
    }

    /// Trusts the headers of App Service. App Service authentication removes such headers from external
    /// requests.
    #[must_use]
    pub fn behind_app_service(mut self) -> Self {
        self.headers.extend(std::mem::take(&mut self.principal));
        self.trust_app_service = true;
        self
    }

    /// Sets the time of the request. The expiry of bearer tokens is checked at this time. The runtime sets it.
    /// Tests that create requests must set it, too.
    #[must_use]
    pub fn received_at(mut self, time: SystemTime) -> Self {
        self.received_at = Some(time);
        self
    }

    /// Sets the address of the client.
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> Self {
        self.client_address = Some(address);
        self
    }

    /// All headers. The client controls all of them.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first header with this name, if it is UTF-8 text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// The query of the request.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The address of the client, if the host of the app provides it.
    #[must_use]
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client_address
    }

    /// The token in the header `Authorization: Bearer …`. The token is not verified.
    #[must_use]
    pub fn bearer_token(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    }

    /// Verifies the bearer token (signature, expiry, issuer, audience) and returns its claims.
    ///
    /// ```
    /// # use hub_core::{HubError, HubResult, NegotiateRequest, Negotiation, OrReject, token::TokenVerifier};
    /// # struct Chat { tokens: TokenVerifier }
    /// # impl Chat {
    /// async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
    ///     let claims = request.verified_claims(&self.tokens).map_err(HubError::unauthenticated)?;
    ///     let user = claims.get("sub").or_reject("the token has no subject")?;
    ///     Ok(Negotiation::user(user).copy_claims(&claims, ["roles"]))
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the token is missing or not valid. The error text can be sent to the client.
    #[cfg(feature = "bearer")]
    pub fn verified_claims(&self, verifier: &TokenVerifier) -> Result<Claims, TokenError> {
        let token = self.bearer_token().ok_or(TokenError::Missing)?;
        let since =
            self.received_at.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        // Without a time the expiry cannot be checked, so the token is refused.
        verifier.verify(token, since.ok_or(TokenError::NoTime)?.as_secs())
    }

    /// The claims of the bearer token, **without verification: any client can write any token.** Use them
    /// only for display, or when a gateway in front of the app verifies every token. `None` if the request has
    /// no readable token.
    #[must_use]
    pub fn unverified_claims(&self) -> Option<Claims> {
        Claims::of_token(self.bearer_token()?)
    }

    /// The user authenticated by App Service.
    ///
    /// `None` unless the app runs behind App Service authentication (`WEBSITE_AUTH_ENABLED=true`, or
    /// `trust_app_service_headers()` on the builder): elsewhere any client can send these headers.
    #[must_use]
    pub fn app_service_user(&self) -> Option<AppServiceUser> {
        self.trust_app_service.then(|| AppServiceUser::of(&self.headers)).flatten()
    }
}

/// Whether this is a header of App Service.
fn is_principal(name: &HeaderName) -> bool {
    name.as_str().starts_with(app_service::PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> NegotiateRequest {
        let map = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        NegotiateRequest::new(map.collect(), Query::default())
    }

    #[test]
    fn the_bearer_scheme_is_case_insensitive() {
        assert_eq!(request(&[("authorization", "bearer abc")]).bearer_token(), Some("abc"));
        assert_eq!(request(&[("authorization", "Basic abc")]).bearer_token(), None);
        assert_eq!(request(&[("authorization", "Bearer ")]).bearer_token(), None);
    }

    #[test]
    fn app_service_headers_are_ignored_without_app_service() {
        let request = request(&[("x-ms-client-principal-id", "ada"), ("x-other", "1")]);

        assert_eq!(request.app_service_user(), None);
        assert_eq!(request.header("x-ms-client-principal-id"), None);
        assert_eq!(request.header("x-other"), Some("1"));
        let behind = request.behind_app_service();
        assert_eq!(behind.app_service_user().unwrap().id, "ada");
        assert_eq!(behind.header("x-ms-client-principal-id"), Some("ada"));
    }

    #[test]
    fn a_duplicate_app_service_header_is_ignored() {
        let id = HeaderName::from_static("x-ms-client-principal-id");
        let mut headers = HeaderMap::new();
        headers.append(id.clone(), http::HeaderValue::from_static("eve"));
        headers.append(id, http::HeaderValue::from_static("ada"));

        let request = NegotiateRequest::new(headers, Query::default()).behind_app_service();

        assert_eq!(request.app_service_user(), None);
    }

    #[test]
    fn unverified_claims_are_read_from_the_token() {
        // {"sub":"ada","roles":["a","b"],"n":1,"o":{"x":[]},"z":null}, without a signature.
        let token = "Bearer e30.eyJzdWIiOiJhZGEiLCJyb2xlcyI6WyJhIiwiYiJdLCJuIjoxLCJvIjp7IngiOltdfSwieiI6bnVsbH0.";

        let claims = request(&[("authorization", token)]).unverified_claims().unwrap();

        assert_eq!((claims.get("sub"), claims.len()), (Some("ada"), 5));
        assert_eq!(claims.all("roles").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((claims.get("n"), claims.get("o")), (Some("1"), Some(r#"{"x":[]}"#)));
        for garbage in ["Bearer x", "Bearer a.b.c", "Bearer e30.W10.x", "Basic e30.e30."] {
            assert_eq!(request(&[("authorization", garbage)]).unverified_claims(), None);
        }
    }

    #[test]
    fn debug_output_shows_no_header_value() {
        let shown = format!("{:?}", request(&[("authorization", "Bearer secret")]));

        assert!(!shown.contains("secret"));
    }
}
