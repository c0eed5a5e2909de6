//! Converts the claims of a JSON Web Token (RFC 7519) to a list of texts.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::Claims;

impl Claims {
    /// The claims of a token, without any check.
    pub(crate) fn of_token(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Map<String, Value> = serde_json::from_slice(&json).ok()?;
        Some(Self::of_json(claims))
    }

    /// Converts claims to texts: one claim for each text, number and boolean, one for each item of a list,
    /// and one with the JSON text for each object.
    pub(crate) fn of_json(claims: Map<String, Value>) -> Self {
        let each = claims.into_iter().flat_map(|(name, value)| {
            let values = match value {
                Value::Array(items) => items,
                value => vec![value],
            };
            values.into_iter().filter_map(move |value| Some((name.clone(), text(value)?)))
        });
        each.collect()
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        value => Some(value.to_string()),
    }
}
