//! What no event shows: secrets of the service, and fields that the operator masks.

use std::{borrow::Cow, ops::RangeInclusive};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hub_core::{
    Secret,
    seal::{self, SealKey},
};
use serde_json::{Map, Value, json};

/// Stands for a value that is not shown.
pub(super) const HIDDEN: &str = "•••";
/// Parameters of a query whose values are secrets, with their lengths: client tokens, connection tokens, keys of Functions
/// apps, signatures.
const PARAMETERS: [(&str, RangeInclusive<usize>); 4] = [
    ("access_token", 1..=usize::MAX),
    ("id", 22..=22),
    ("code", 16..=usize::MAX),
    ("sig", 16..=usize::MAX),
];
/// The length of the longest of these names.
const MAX_NAME: usize = "access_token".len();
/// The largest integer up to which every integer is exact in a double, and thus in JavaScript.
const MAX_EXACT: u64 = 1 << 53;
/// How every JSON web token and every seal begins: `{"` in Base64.
const OBJECT: &str = "eyJ";
/// The shortest part of a token.
const MIN_PART: usize = 16;
const SIGNATURE: &str = "sha256=";
const SIGNATURE_DIGITS: usize = 64;

/// The rules of a service.
#[derive(Debug)]
pub(super) struct Hidden {
    secrets: Vec<Secret>,
    /// Lower-case names.
    masks: Vec<String>,
}

impl Hidden {
    pub(super) fn new(secrets: Vec<Secret>, masks: &[String]) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.expose().is_empty()).collect();
        Self { secrets, masks: masks.iter().map(|name| name.to_lowercase()).collect() }
    }

    /// The claims in a seal of this service.
    pub(super) fn open(&self, seal: &str) -> Option<Vec<(String, String)>> {
        let keys: Vec<_> = self.secrets.iter().map(SealKey::derive).collect();
        let identity = seal::open(seal, &keys).ok()?;
        let claims = identity.claims.iter();
        Some(claims.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Whether the operator masks fields with this name.
    pub(super) fn is_masked(&self, name: &str) -> bool {
        !self.masks.is_empty() && self.masks.contains(&name.to_lowercase())
    }

    /// Whether a text without fields contains the name of a masked field.
    pub(super) fn has_mask(&self, text: &str) -> bool {
        if self.masks.is_empty() {
            return false;
        }
        let text = text.to_lowercase();
        self.masks.iter().any(|name| text.contains(name))
    }

    /// A value with hidden secrets and masked fields. Integers beyond 2^53 become `{"$int": digits}`.
    pub(super) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text).into_owned()),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                let member = |(name, value): (String, Value)| {
                    let value = match value {
                        _ if self.is_masked(&name) => HIDDEN.into(),
                        Value::String(text) if name == "$binary" || name == "data" => {
                            self.encoded(&text)
                        }
                        value => self.value(value),
                    };
                    (self.text(&name).into_owned(), value)
                };
                Value::Object(members.into_iter().map(member).collect::<Map<_, _>>())
            }
            Value::Number(number) => {
                let beyond = number.as_u64().is_some_and(|it| it > MAX_EXACT)
                    || number.as_i64().is_some_and(|it| it.unsigned_abs() > MAX_EXACT);
                if beyond { json!({ "$int": number.to_string() }) } else { Value::Number(number) }
            }
            other => other,
        }
    }

    /// Bytes in Base64, which are hidden if they contain a secret.
    fn encoded(&self, text: &str) -> Value {
        let bytes = STANDARD.decode(text).unwrap_or_default();
        match self.text(&String::from_utf8_lossy(&bytes)) {
            Cow::Borrowed(_) => Value::String(self.text(text).into_owned()),
            Cow::Owned(_) => HIDDEN.into(),
        }
    }

    /// A text in which secrets are hidden: those of the service, tokens, seals, signatures, and parameters of queries.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.secrets {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), HIDDEN).into();
            }
        }
        for find in [find_token, find_signature, find_parameter] {
            if let Some(hidden) = replaced(&text, find) {
                text = hidden.into();
            }
        }
        text
    }
}

/// The text with each found part hidden. `None` without one.
fn replaced(text: &str, find: impl Fn(&str) -> Option<(usize, usize)>) -> Option<String> {
    let mut found = find(text)?;
    let (mut hidden, mut rest) = (String::with_capacity(text.len()), text);
    loop {
        let (from, to) = found;
        hidden.push_str(&rest[..from]);
        hidden.push_str(HIDDEN);
        rest = &rest[to..];
        match find(rest) {
            Some(next) => found = next,
            None => break,
        }
    }
    hidden.push_str(rest);
    Some(hidden)
}

fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// A JSON web token or a seal: parts in URL-safe Base64 with dots between them.
fn find_token(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    // Each byte is looked at a fixed number of times: a text with many beginnings of tokens must not take long.
    while let Some(found) = text.get(at..)?.find(OBJECT) {
        let from = at + found;
        let rest = text.get(from..)?;
        let is_of_token = |byte: u8| is_url_safe(byte) || byte == b'.';
        let length = rest.bytes().position(|byte| !is_of_token(byte)).unwrap_or(rest.len());
        let (mut start, mut parts) = (from, rest.get(..length)?.split('.').peekable());
        while let Some(part) = parts.next() {
            let is_before_part = parts.peek().is_some_and(|next| next.len() >= MIN_PART);
            let begins = part.find(OBJECT).filter(|at| part.len() - at >= MIN_PART);
            if let Some(begins) = begins.filter(|_| is_before_part) {
                return Some((start + begins, from + length));
            }
            start += part.len() + 1;
        }
        at = from + length;
    }
    None
}

/// A signature of a connection id.
fn find_signature(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find(SIGNATURE) {
        let from = at + found + SIGNATURE.len();
        let digits = text.as_bytes().get(from..)?.iter().take_while(|it| it.is_ascii_hexdigit());
        if digits.take(SIGNATURE_DIGITS).count() == SIGNATURE_DIGITS {
            return Some((from, from + SIGNATURE_DIGITS));
        }
        at = from;
    }
    None
}

/// The value of a secret parameter in the query of a URL.
fn find_parameter(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find(['?', '&']) {
        let from = at + found + 1;
        let rest = text.get(from..)?;
        at = from;
        let Some(equals) = rest.bytes().take(MAX_NAME + 1).position(|byte| byte == b'=') else {
            continue;
        };
        let (Some(name), Some(value)) = (rest.get(..equals), rest.get(equals + 1..)) else {
            continue;
        };
        let length = value
            .bytes()
            .position(|byte| {
                !is_url_safe(byte) && !matches!(byte, b'.' | b'%' | b'~' | b'=' | b'+')
            })
            .unwrap_or(value.len());
        let is_secret = PARAMETERS.iter().any(|(secret, lengths)| {
            secret.eq_ignore_ascii_case(name) && lengths.contains(&length)
        });
        if is_secret {
            let from = from + name.len() + 1;
            return Some((from, from + length));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(masks: &[&str]) -> Hidden {
        let masks: Vec<_> = masks.iter().map(|it| (*it).to_owned()).collect();
        Hidden::new(vec![Secret::from("the-access-key-of-the-service")], &masks)
    }

    #[test]
    fn secrets_are_hidden_wherever_a_text_contains_them() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjV9.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
        let seal = "1.eyJoIjoiY2hhdCIsInUiOiJhZGEifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
        let digits = "0123456789ABCDEF".repeat(4);
        for (text, shown) in [
            ("key the-access-key-of-the-service!".to_owned(), "key •••!"),
            (format!("a {token} b {token}"), "a ••• b •••"),
            (format!("shub: {seal}, role: x"), "shub: 1.•••, role: x"),
            (format!("sha256={digits},sha256={digits}"), "sha256=•••,sha256=•••"),
            (
                "?hub=chat&id=AAAAAAAAAAAAAAAAAAAA-_&access_token=x.y".to_owned(),
                "?hub=chat&id=•••&access_token=•••",
            ),
            ("http://h/api?code=a%2Fb0123456789== end".to_owned(), "http://h/api?code=••• end"),
        ] {
            assert_eq!(hidden(&[]).text(&text), shown);
        }
    }

    #[test]
    fn a_token_is_found_in_a_later_part() {
        let text = format!("eyJ.eyJeyJ{0}.{0} eyJ", "a".repeat(MIN_PART));

        assert_eq!(hidden(&[]).text(&text), "eyJ.••• eyJ");
    }

    #[test]
    fn the_time_to_hide_secrets_grows_with_the_length_of_a_text_only() {
        let texts = |length: usize| {
            ["eyJ", "eyJ.", "&", "?a", "&id=", "sha256="].map(|part| part.repeat(length))
        };
        let time = |length: usize| {
            let (texts, hidden) = (texts(length), hidden(&[]));
            let begun = std::time::Instant::now();
            texts.iter().for_each(|text| _ = hidden.text(text));
            begun.elapsed()
        };

        // A quadratic search takes 10,000 times as long.
        let (short, long) = (time(10_000), time(1_000_000));

        assert!(long < short.max(std::time::Duration::from_millis(1)) * 2000, "{short:?} {long:?}");
    }

    #[test]
    fn other_texts_are_unchanged() {
        for text in [
            "",
            "eyJ",
            "eyJhbGciOiJIUzI1NiJ9",
            "eyJ.eyJ.x",
            "sha256=12",
            "a?b&c",
            "?hub=chat",
            "•?id=",
            "?id=5&code=5",
        ] {
            assert!(matches!(hidden(&[]).text(text), Cow::Borrowed(it) if it == text), "{text}");
        }
    }

    #[test]
    fn masked_fields_are_hidden_at_every_depth_whatever_their_case() {
        let value = json!([{ "Email": "a@b", "inner": [{ "email": { "x": 1 } }], "name": "Ada" }]);

        let shown = hidden(&["EMAIL"]).value(value);

        assert_eq!(
            shown,
            json!([{ "Email": "•••", "inner": [{ "email": "•••" }], "name": "Ada" }])
        );
        assert!(hidden(&["email"]).has_mask("{\"eMail\": \"x") && !hidden(&[]).has_mask("email"));
    }

    #[test]
    fn integers_that_javascript_cannot_hold_are_text() {
        let shown = hidden(&[]).value(json!([
            9_007_199_254_740_992_u64,
            9_007_199_254_740_993_u64,
            -9_007_199_254_740_993_i64
        ]));

        let text = |digits: &str| json!({ "$int": digits });
        let expected =
            json!([9_007_199_254_740_992_u64, text("9007199254740993"), text("-9007199254740993")]);
        assert_eq!(shown, expected);
    }
}
