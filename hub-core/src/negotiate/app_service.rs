//! The user of App Service authentication, parsed from its headers.
//!
//! Source: Microsoft Learn, "Work with user identities in Azure App Service authentication".

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderMap;
use serde::Deserialize;

use crate::invocation::Claims;

/// The prefix of the headers of App Service authentication.
pub(super) const PREFIX: &str = "x-ms-client-principal";

const PRINCIPAL: &str = "x-ms-client-principal";
const ID: &str = "x-ms-client-principal-id";
const NAME: &str = "x-ms-client-principal-name";
const PROVIDER: &str = "x-ms-client-principal-idp";
/// The default type of role claims.
const ROLES: &str = "roles";

/// The decoder of the principal. The header is padded base64, but missing padding is accepted.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A user authenticated by App Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppServiceUser {
    /// The stable id.
    pub id: String,
    /// The display name. Users may be able to choose it.
    pub name: Option<String>,
    /// The identity provider, for example `aad` or `github`.
    pub provider: Option<String>,
    /// All claims of the identity provider, from `x-ms-client-principal`.
    pub claims: Claims,
    /// The type of role claims.
    role_type: String,
}

impl AppServiceUser {
    /// The values of the role claims. The principal defines the type of role claims.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.claims.all(&self.role_type)
    }

    /// Whether the user has this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().any(|held| held == role)
    }

    /// Returns the user in these headers, or `None` if they contain no user or the principal is malformed.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| {
            let value = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        let id = text(ID)?;
        let principal = match text(PRINCIPAL) {
            Some(encoded) => Principal::decode(&encoded)?,
            None => Principal::default(),
        };
        let claims = principal.claims.into_iter().map(|claim| (claim.typ, claim.val)).collect();
        let role_type = principal.role_typ.unwrap_or_else(|| ROLES.to_owned());
        Some(Self { id, name: text(NAME), provider: text(PROVIDER), claims, role_type })
    }
}

#[derive(Default, Deserialize)]
struct Principal {
    #[serde(default)]
    claims: Vec<Claim>,
    role_typ: Option<String>,
}

#[derive(Deserialize)]
struct Claim {
    typ: String,
    val: String,
}

impl Principal {
    fn decode(encoded: &str) -> Option<Self> {
        let decoded = BASE64.decode(encoded.trim()).ok();
        let principal = decoded.and_then(|json| serde_json::from_slice(&json).ok());
        if principal.is_none() {
            tracing::warn!(
                "the header x-ms-client-principal cannot be decoded; its user is treated as not signed in"
            );
        }
        principal
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn user(headers: &[(&'static str, &str)]) -> Option<AppServiceUser> {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        AppServiceUser::of(&headers.collect())
    }

    #[test]
    fn the_principal_is_decoded_with_its_claims_and_roles() {
        let principal = STANDARD.encode(
            r#"{"auth_typ":"aad","name_typ":"name","role_typ":"r","claims":[{"typ":"name","val":"Ada, r: admin"},{"typ":"r","val":"reader"},{"typ":"r","val":"writer"}]}"#,
        );

        let ada = user(&[(ID, "id-1"), (NAME, "Ada"), (PROVIDER, "aad"), (PRINCIPAL, &principal)]);

        let ada = ada.unwrap();
        assert_eq!((ada.id.as_str(), ada.provider.as_deref()), ("id-1", Some("aad")));
        assert_eq!(ada.claims.get("name"), Some("Ada, r: admin"));
        assert_eq!(ada.roles().collect::<Vec<_>>(), ["reader", "writer"]);
        assert!(ada.has_role("writer") && !ada.has_role("admin"));
    }

    #[test]
    fn roles_are_found_without_a_named_type_and_without_padding() {
        let principal = STANDARD.encode(r#"{"claims":[{"typ":"roles","val":"reader"}]}"#);
        let unpadded = principal.trim_end_matches('=');

        assert!(user(&[(ID, "ada"), (PRINCIPAL, unpadded)]).unwrap().has_role("reader"));
    }

    #[test]
    fn without_the_principal_there_are_no_claims() {
        assert!(user(&[(ID, "ada")]).unwrap().claims.is_empty());
    }

    #[test]
    fn an_invalid_principal_is_no_user() {
        let not_json = STANDARD.encode("{");
        for principal in ["%%%", not_json.as_str()] {
            assert_eq!(user(&[(ID, "ada"), (PRINCIPAL, principal)]), None, "{principal}");
        }
        assert_eq!(user(&[(ID, "")]), None);
    }
}
