//! The input binding `signalRConnectionInfo`: its settings and its value.

use http::{HeaderMap, HeaderValue, header};
use hub_core::{Claims, HubError, HubResult, NegotiateRequest, Negotiation, Query};
use serde::{Deserialize, Serialize};

pub use crate::negotiate::ConnectionInfo as SignalRConnectionInfo;

use super::{BindingError, BindingExpression};

/// The entry of the input binding `signalRConnectionInfo` in function.json.
///
/// Use this type to port a function with this binding to a hub: [`Self::negotiation`] applies the same
/// rules as the binding.
///
/// ```
/// use hub_runtime::{bindings::SignalRConnectionInfoBinding, prelude::*};
///
/// # struct Chat { binding: SignalRConnectionInfoBinding }
/// # #[serverless_hub]
/// # impl Chat {
/// async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
///     // function.json: "userId": "{headers.x-ms-client-principal-id}"
///     self.binding.negotiation(&request)
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SignalRConnectionInfoBinding {
    /// The name of the value in the function.
    pub name: String,
    /// The name of the hub.
    pub hub_name: String,
    /// The user of the connection: a fixed string or a [`BindingExpression`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The token whose claims are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The types of the claims that are copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_type_list: Vec<String>,
    /// The setting with the connection string. Defaults to `AzureSignalRConnectionString`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_string_setting: Option<String>,
    #[serde(rename = "type", default)]
    kind: Kind,
    #[serde(default)]
    direction: Direction,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[default]
    #[serde(rename = "signalRConnectionInfo")]
    ConnectionInfo,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Direction {
    #[default]
    #[serde(rename = "in")]
    In,
}

impl SignalRConnectionInfoBinding {
    /// Creates a binding for anonymous connections.
    #[must_use]
    pub fn new(name: impl Into<String>, hub_name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hub_name: hub_name.into(),
            user_id: None,
            id_token: None,
            claim_type_list: Vec::new(),
            connection_string_setting: None,
            kind: Kind::default(),
            direction: Direction::default(),
        }
    }

    /// Sets the name of the setting with the connection string.
    #[must_use]
    pub fn connection_string_setting(mut self, name: impl Into<String>) -> Self {
        self.connection_string_setting = Some(name.into());
        self
    }

    /// Sets the user of connections: a fixed string or a [`BindingExpression`].
    #[must_use]
    pub fn user_id(mut self, expression: impl Into<String>) -> Self {
        self.user_id = Some(expression.into());
        self
    }

    /// Copies claims of these types from a token. `id_token` is the expression that selects the token.
    #[must_use]
    pub fn claims_of(
        mut self,
        id_token: impl Into<String>,
        types: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.id_token = Some(id_token.into());
        self.claim_type_list = types.into_iter().map(Into::into).collect();
        self
    }

    /// Returns the user and the claims for a negotiate request, as the binding sets them.
    ///
    /// The binding of Functions copies the claims of *any* token, without verification. This method
    /// accepts only tokens that App Service has verified (`{headers.x-ms-token-aad-id-token}`); for other
    /// tokens use `NegotiateRequest::verified_claims`.
    ///
    /// # Errors
    /// [`HubError::unauthenticated`] if the request has no value for an expression, as the binding fails then:
    /// a client that leaves a header out must not become anonymous. An internal error if an expression is
    /// malformed, or selects a token that the client controls.
    pub fn negotiation(&self, request: &NegotiateRequest) -> HubResult<Negotiation> {
        let negotiation = match self.user_id.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => Negotiation::user(resolved(text, &text.parse()?, request)?),
            None => Negotiation::anonymous(),
        };
        let Some(text) = &self.id_token else { return Ok(negotiation) };
        let expression: BindingExpression = text.parse()?;
        if !expression.is_verified() {
            let problem = "claims are copied only from tokens that App Service has verified, for example {headers.x-ms-token-aad-id-token}; for other tokens use `verified_claims`";
            return Err(BindingError::Expression { expression: text.clone(), problem }.into());
        }
        let claims =
            claims_of(&resolved(text, &expression, request)?).ok_or_else(|| missing(text))?;
        Ok(negotiation.copy_claims(&claims, self.claim_type_list.iter().map(String::as_str)))
    }
}

/// The value of an expression, which `text` is.
fn resolved(
    text: &str,
    expression: &BindingExpression,
    request: &NegotiateRequest,
) -> HubResult<String> {
    let value = expression.resolve(request).filter(|value| !value.is_empty());
    value.ok_or_else(|| missing(text))
}

fn missing(text: &str) -> HubError {
    HubError::unauthenticated(format!("Not signed in: the request has no value for `{text}`"))
}

/// Decodes the claims of a token. The caller has checked that App Service verified the token.
fn claims_of(token: &str) -> Option<Claims> {
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok()?;
    let headers: HeaderMap = [(header::AUTHORIZATION, bearer)].into_iter().collect();
    NegotiateRequest::new(headers, Query::default()).unverified_claims()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use hub_core::ErrorKind;
    use serde_json::json;

    use super::*;

    /// `{"sub":"ada","roles":["a","b"]}`, without a signature.
    const TOKEN: &str = "e30.eyJzdWIiOiJhZGEiLCJyb2xlcyI6WyJhIiwiYiJdfQ.";
    const ID_TOKEN: &str = "{headers.x-ms-token-aad-id-token}";

    fn request(headers: &[(&'static str, &'static str)]) -> NegotiateRequest {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        NegotiateRequest::new(headers, Query::default())
    }

    fn binding() -> SignalRConnectionInfoBinding {
        SignalRConnectionInfoBinding::new("connectionInfo", "chat")
            .user_id("{headers.x-ms-client-principal-id}")
            .claims_of(ID_TOKEN, ["roles"])
    }

    #[test]
    fn the_value_is_the_json_for_clients() {
        let value = r#"{"url":"https://x/client/?hub=chat","accessToken":"t"}"#;

        let info: SignalRConnectionInfo = serde_json::from_str(value).unwrap();

        assert_eq!(serde_json::to_string(&info).unwrap(), value);
        assert!(!format!("{info:?}").contains("\"t\""));
    }

    #[test]
    fn the_binding_has_the_format_of_function_json() {
        let written = json!({
            "name": "connectionInfo",
            "hubName": "chat",
            "userId": "{headers.x-ms-client-principal-id}",
            "idToken": ID_TOKEN,
            "claimTypeList": ["roles"],
            "type": "signalRConnectionInfo",
            "direction": "in",
        });

        assert_eq!(serde_json::to_value(binding()).unwrap(), written);
        assert_eq!(
            serde_json::from_value::<SignalRConnectionInfoBinding>(written).unwrap(),
            binding()
        );
    }

    #[test]
    fn behind_app_service_user_and_claims_are_those_of_the_principal() {
        let headers = [("x-ms-client-principal-id", "ada"), ("x-ms-token-aad-id-token", TOKEN)];

        let negotiation = binding().negotiation(&request(&headers).behind_app_service()).unwrap();

        assert_eq!(negotiation.user_id(), Some("ada"));
        assert_eq!(
            negotiation.claims().iter().collect::<Vec<_>>(),
            [("roles", "a"), ("roles", "b")]
        );
    }

    #[test]
    fn without_a_value_for_an_expression_the_client_is_refused_and_not_anonymous() {
        let (user, token) = ("x-ms-client-principal-id", "x-ms-token-aad-id-token");
        let refused = |binding: SignalRConnectionInfoBinding, request: &NegotiateRequest| {
            let error = binding.negotiation(request).unwrap_err();
            (error.kind(), error.text().to_owned())
        };
        let of_user = || SignalRConnectionInfoBinding::new("i", "chat").user_id("{query.user}");
        let no_user =
            "Not signed in: the request has no value for `{headers.x-ms-client-principal-id}`";
        let no_token =
            "Not signed in: the request has no value for `{headers.x-ms-token-aad-id-token}`";
        let behind = |headers: &[_]| request(headers).behind_app_service();

        for (request, text) in [
            (behind(&[]), no_user),
            (behind(&[(token, TOKEN)]), no_user),
            (behind(&[(user, "")]), no_user),
            (behind(&[(user, "ada")]), no_token),
            (behind(&[(user, "ada"), (token, "no.token")]), no_token),
            // Any client can send the headers to an app that is not behind App Service.
            (request(&[(user, "ada"), (token, TOKEN)]), no_user),
        ] {
            let expected = (ErrorKind::Unauthenticated, text.to_owned());
            assert_eq!(refused(binding(), &request), expected);
        }
        assert_eq!(refused(of_user(), &request(&[])).0, ErrorKind::Unauthenticated);
        let empty = NegotiateRequest::new(HeaderMap::new(), Query::parse("user="));
        assert_eq!(refused(of_user(), &empty).0, ErrorKind::Unauthenticated);
        let unset = SignalRConnectionInfoBinding::new("i", "chat").user_id("");
        assert_eq!(unset.negotiation(&request(&[])).unwrap().user_id(), None);
    }

    #[test]
    fn a_token_chosen_by_the_client_is_refused() {
        for chosen in ["{headers.authorization}", "{query.token}", "e30.e30.", ""] {
            let binding =
                SignalRConnectionInfoBinding::new("i", "chat").claims_of(chosen, ["role"]);

            let refused = binding.negotiation(&request(&[]).behind_app_service());

            let refused = refused.unwrap_err();
            assert!(
                refused.text().contains("only from tokens that App Service has verified"),
                "{chosen}"
            );
        }
    }
}
