//! The plain claims header. The local service writes it, and apps that trust plain claims parse it.

use http::{HeaderMap, HeaderValue};
use hub_local::fuzzing::claims_header;
use hub_runtime::fuzzing::plain_claims;
use serde_json::{Map, Value};

const HEADER: &str = "x-asrs-user-claims";

/// Parses the input as a header. Also writes a header with claims from the input: JSON, or lines
/// `type=value`.
pub fn run(data: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(data) {
        read(value);
    }
    if let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(data) {
        written(&claims);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let claims: Map<_, _> = lines.map(|(n, v)| (n.to_owned(), Value::from(v))).collect();
    written(&claims);
}

/// Each claim that is read must be part of the header, between two commas, and each type must occur
/// once.
fn read(value: HeaderValue) {
    let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default().to_owned();
    let mut headers = HeaderMap::new();
    headers.insert(HEADER, value);
    let claims = plain_claims(&headers);
    for (name, value) in claims.iter() {
        assert_eq!(claims.all(name).count(), 1);
        assert!(!name.contains(',') && !value.contains(','));
        let entry = |entry: &str| entry.contains(name) && entry.contains(value);
        assert!(text.split(',').any(entry), "the claim {name} belongs to no entry");
    }
}

/// If no type and no value contains a comma, the header must contain no other claims. Plain values must
/// be read unchanged.
fn written(claims: &Map<String, Value>) {
    let Some(header) = claims_header(claims) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(HEADER, header);
    let read = plain_claims(&headers);
    let mut meant: Vec<(&str, String)> = Vec::new();
    for (name, value) in claims {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let name = name.strip_prefix("asrs.u.").unwrap_or(name);
        meant.extend(values.iter().map(|value| (name, text(value))));
    }
    if meant.iter().any(|(name, value)| name.contains(',') || value.contains(',')) {
        return;
    }
    for (name, value) in read.iter() {
        let is_meant = |(held, text): &(&str, String)| held.trim() == name && text.trim() == value;
        // A type that contains `: ` cannot be distinguished from a type and a value.
        let is_part = |(held, text): &(&str, String)| {
            let entry = format!("{held}: {text}");
            entry.contains(name) && entry.contains(value) && entry.matches(": ").count() > 1
        };
        assert!(
            meant.iter().any(is_meant) || meant.iter().any(is_part),
            "the value added the claim {name}"
        );
    }
    for (name, value) in meant.iter().filter(|(name, value)| is_plain(name) && is_plain(value)) {
        let first = meant.iter().find(|(held, text)| held == name && is_plain(text));
        let all_plain = meant.iter().all(|(held, text)| is_plain(held) && is_plain(text));
        if !name.starts_with("asrs.s.") && all_plain && first.is_some_and(|(_, it)| it == value) {
            assert_eq!(read.get(name), Some(value.as_str()), "the value of {name} changed");
        }
    }
}

fn is_plain(text: &str) -> bool {
    let graphic = |character: char| character.is_ascii_graphic() && character != ':';
    !text.is_empty() && text.chars().all(graphic)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
