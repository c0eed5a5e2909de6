//! The input binding `signalRConnectionInfo`: what it is told, and what it gives.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};
use hub_core::{Claims, NegotiateRequest, Negotiation, Query};
use serde::{Deserialize, Serialize};

use super::{BindingError, BindingExpression};

/// What the input binding `signalRConnectionInfo` gives, and what a client's negotiate is answered with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalRConnectionInfo {
    /// Where the client connects.
    pub url: String,
    /// The client's token: whoever has it is the client.
    pub access_token: String,
}

impl fmt::Debug for SignalRConnectionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalRConnectionInfo").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The binding itself, as it stands in function.json.
///
/// A function that has one can move into a hub: [`Self::negotiation`] decides as the binding does.
///
/// ```
/// use hub_runtime::{bindings::SignalRConnectionInfoBinding, prelude::*};
///
/// # struct Chat { binding: SignalRConnectionInfoBinding }
/// # #[serverless_hub]
/// # impl Chat {
/// async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
///     // function.json: "userId": "{headers.x-ms-client-principal-id}"
///     Ok(self.binding.negotiation(&request)?)
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SignalRConnectionInfoBinding {
    /// The name by which the function reads the value.
    pub name: String,
    /// The hub.
    pub hub_name: String,
    /// Who the connection belongs to: a text or a [`BindingExpression`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The token whose claims are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// Which claims of the token are copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_type_list: Vec<String>,
    /// The setting with the connection string; `AzureSignalRConnectionString` without it.
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
    /// A binding for connections that belong to nobody in particular.
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

    /// Sets who connections belong to: a text or a [`BindingExpression`].
    #[must_use]
    pub fn user_id(mut self, expression: impl Into<String>) -> Self {
        self.user_id = Some(expression.into());
        self
    }

    /// Copies claims of these types from the token that the expression names.
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

    /// What the binding decides about a negotiate: its user, and the claims of its token.
    ///
    /// The binding of Functions copies the claims of *any* token, checked by nobody. Here the token
    /// must be one that App Service vouches for (`{headers.x-ms-token-aad-id-token}`); others are checked
    /// with `NegotiateRequest::verified_claims`. Where the user is an expression that the request does not
    /// answer, the connection belongs to nobody, as with the binding: guard what needs a user with
    /// `SignedIn`.
    ///
    /// # Errors
    /// When an expression is malformed, or names a token that the client chose.
    pub fn negotiation(&self, request: &NegotiateRequest) -> Result<Negotiation, BindingError> {
        let parse = |text: &String| text.parse::<BindingExpression>();
        let user = self.user_id.as_ref().map(parse).transpose()?;
        let token = self.id_token.as_ref().map(parse).transpose()?;
        if let (Some(expression), Some(text)) = (&token, &self.id_token)
            && !expression.is_vouched_for()
        {
            let problem = "claims are copied only from a token that App Service vouches for, like {headers.x-ms-token-aad-id-token}; check others with `verified_claims`";
            return Err(BindingError::Expression { expression: text.clone(), problem });
        }
        let user = user.and_then(|expression| expression.resolve(request));
        let negotiation = match user.filter(|user| !user.is_empty()) {
            Some(user) => Negotiation::user(user),
            None => Negotiation::anonymous(),
        };
        let token = token.and_then(|expression| expression.resolve(request));
        let claims = token.and_then(|token| claims_of(&token)).unwrap_or_default();
        Ok(negotiation.copy_claims(&claims, self.claim_type_list.iter().map(String::as_str)))
    }
}

/// What a token states. Whoever vouches for it has been asked before.
fn claims_of(token: &str) -> Option<Claims> {
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok()?;
    let headers: HeaderMap = [(header::AUTHORIZATION, bearer)].into_iter().collect();
    NegotiateRequest::new(headers, Query::default()).unverified_claims()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use serde_json::json;

    use super::*;

    /// `{"sub":"ada","roles":["a","b"]}`, signed by nobody.
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
    fn the_value_is_what_clients_read() {
        let value = r#"{"url":"https://x/client/?hub=chat","accessToken":"t"}"#;

        let info: SignalRConnectionInfo = serde_json::from_str(value).unwrap();

        assert_eq!(serde_json::to_string(&info).unwrap(), value);
        assert!(!format!("{info:?}").contains("\"t\""));
    }

    #[test]
    fn the_binding_is_what_function_json_holds() {
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
    fn behind_app_service_the_user_and_the_claims_are_the_signed_in_ones() {
        let headers = [("x-ms-client-principal-id", "ada"), ("x-ms-token-aad-id-token", TOKEN)];

        let negotiation = binding().negotiation(&request(&headers).behind_app_service()).unwrap();

        assert_eq!(negotiation.user_id(), Some("ada"));
        assert_eq!(
            negotiation.claims().iter().collect::<Vec<_>>(),
            [("roles", "a"), ("roles", "b")]
        );
    }

    #[test]
    fn elsewhere_the_same_headers_are_nobody() {
        let headers = [("x-ms-client-principal-id", "ada"), ("x-ms-token-aad-id-token", TOKEN)];

        let negotiation = binding().negotiation(&request(&headers)).unwrap();

        assert_eq!(negotiation.user_id(), None);
        assert!(negotiation.claims().is_empty());
    }

    #[test]
    fn a_token_of_the_clients_choice_is_refused() {
        for chosen in ["{headers.authorization}", "{query.token}", "e30.e30.", ""] {
            let binding =
                SignalRConnectionInfoBinding::new("i", "chat").claims_of(chosen, ["role"]);

            let refused = binding.negotiation(&request(&[]).behind_app_service());

            assert!(matches!(refused, Err(BindingError::Expression { .. })), "{chosen}");
        }
    }
}
