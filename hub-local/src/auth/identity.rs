//! The identity in a client's token, and the header that sends the claims of the token upstream.

use std::{borrow::Cow, sync::Arc};

use hub_core::client_access::{SYSTEM_CLAIM_PREFIX, USER_CLAIM_PREFIX, USER_ID_CLAIM};
use serde_json::{Map, Value};

use super::token_options::TokenOptions;

/// The claims that can contain the user id, in order of precedence.
const USER_CLAIMS: [&str; 4] = [
    USER_ID_CLAIM,
    "nameid",
    "sub",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
];

/// The identity in the token of a client.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Absent for an anonymous client.
    pub(crate) user: Option<Arc<str>>,
    /// The value of `X-ASRS-User-Claims`.
    pub(crate) claims: Option<Arc<str>>,
    /// The connection settings in the token.
    pub(crate) token_options: TokenOptions,
}

impl Identity {
    pub(crate) fn from_claims(claims: &Map<String, Value>) -> Result<Self, String> {
        Ok(Self {
            user: user(claims)?.map(Arc::from),
            claims: header(claims).map(Arc::from),
            token_options: TokenOptions::from_claims(claims),
        })
    }
}

/// The user id: a text, or an integer as text. A claim of another type is an error, because a client without a user
/// receives no message to its user.
fn user(claims: &Map<String, Value>) -> Result<Option<String>, String> {
    for claim in USER_CLAIMS {
        let value = match claims.get(claim) {
            Some(Value::Array(values)) => values.first(),
            value => value,
        };
        return match value {
            None | Some(Value::Null) => continue,
            Some(Value::String(user)) => Ok(Some(user.clone()).filter(|user| !user.is_empty())),
            Some(Value::Number(user)) if !user.is_f64() => Ok(Some(user.to_string())),
            Some(_) => {
                Err(format!("the claim `{claim}`, the user id, must be a text or an integer"))
            }
        };
    }
    Ok(None)
}

/// Formats the claims as `type: value, type: value`. This format has no escapes, so receivers cannot parse
/// it safely.
pub(crate) fn header(claims: &Map<String, Value>) -> Option<String> {
    let mut text = String::new();
    for (name, value) in claims {
        if name.starts_with(SYSTEM_CLAIM_PREFIX) {
            continue;
        }
        let name = name.strip_prefix(USER_CLAIM_PREFIX).unwrap_or(name);
        match value {
            Value::Array(values) => values.iter().for_each(|value| append(&mut text, name, value)),
            value => append(&mut text, name, value),
        }
    }
    (!text.is_empty()).then_some(text)
}

fn append(text: &mut String, name: &str, value: &Value) {
    let value = match value {
        Value::String(value) => Cow::Borrowed(value),
        other => Cow::Owned(other.to_string()),
    };
    if has_control(name) || has_control(&value) {
        tracing::debug!("a claim with control characters is not sent upstream");
        return;
    }
    if !text.is_empty() {
        text.push_str(", ");
    }
    text.push_str(name);
    text.push_str(": ");
    text.push_str(&value);
}

fn has_control(text: &str) -> bool {
    // Counts, because the loop of a search is not vectorized.
    let is_plain = |byte: &u8| byte.is_ascii() && !byte.is_ascii_control();
    text.bytes().filter(is_plain).count() < text.len() && text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> &Map<String, Value> {
        value.as_object().unwrap()
    }

    #[test]
    fn the_user_is_the_first_user_claim() {
        let user = |value: &Value| user(claims(value)).unwrap();
        let both = json!({ "asrs.s.uid": "ada", "nameid": "x", "sub": "y" });
        assert_eq!(user(&both).as_deref(), Some("ada"));
        assert_eq!(user(&json!({ "sub": "y", "nameid": "x" })).as_deref(), Some("x"));
        assert_eq!(user(&json!({ "sub": ["y", "z"] })).as_deref(), Some("y"));
        assert_eq!(
            user(&json!({ "sub": "y", "nameid": null, "asrs.s.uid": [] })).as_deref(),
            Some("y")
        );
        assert_eq!(user(&json!({ "asrs.s.uid": "" })), None);
        assert_eq!(user(&json!({ "exp": 5 })), None);
    }

    #[test]
    fn an_integer_is_a_user_id_and_other_types_are_an_error() {
        let user = |value: &Value| user(claims(value));

        assert_eq!(user(&json!({ "nameid": 42 })), Ok(Some("42".to_owned())));
        assert_eq!(user(&json!({ "sub": [-7] })), Ok(Some("-7".to_owned())));
        for other in [json!({}), json!(true), json!(1.5), json!([["x"]])] {
            let error = user(&json!({ "nameid": other, "sub": "ada" })).unwrap_err();
            assert_eq!(error, "the claim `nameid`, the user id, must be a text or an integer");
        }
    }

    #[test]
    fn system_claims_are_not_sent_and_renamed_claims_are_restored() {
        let token = json!({
            "asrs.s.uid": "ada", "asrs.u.aud": "x", "role": ["a", "b"], "exp": 5, "name": "Zoë"
        });

        let header = header(claims(&token)).unwrap();

        let text = "aud: x, exp: 5, name: Zoë, role: a, role: b";
        assert_eq!(header.as_bytes(), text.as_bytes());
    }

    #[test]
    fn a_claim_with_a_line_break_is_omitted() {
        let token = json!({ "a": "x\r\nX-Evil: 1", "b": "y" });
        assert_eq!(header(claims(&token)).unwrap(), "b: y");
        assert_eq!(header(claims(&json!({ "a": "\n" }))), None);
    }
}
