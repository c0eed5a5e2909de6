//! The opening handshake (RFC 6455 §4.2).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::body::{self, Body};

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const VERSION: &str = "13";

/// Whether a request that is no complete WebSocket handshake was one before a proxy changed it: its upgrade headers are
/// hop-by-hop, so proxies remove them by default (RFC 9110 §7.6.1, §7.8).
pub(crate) fn is_lost(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// Whether a request is a WebSocket handshake.
pub(crate) fn is_asked(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket") && has_token(headers, &CONNECTION, "upgrade")
}

/// The response with status 101, or the response that refuses the request.
pub(crate) fn switch(headers: &HeaderMap) -> Result<Response<Body>, Box<Response<Body>>> {
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        let mut refusal =
            body::text(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13");
        let headers = refusal.headers_mut();
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        // RFC 9110 §15.5.22.
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        return Err(Box::new(refusal));
    }
    let accept = headers.get(SEC_WEBSOCKET_KEY).and_then(accept).ok_or_else(|| {
        Box::new(body::text(
            StatusCode::BAD_REQUEST,
            "Sec-WebSocket-Key must be 16 bytes in base64",
        ))
    })?;
    let mut switching = body::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = switching.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(switching)
}

/// The `Sec-WebSocket-Accept` of a key (RFC 6455 §4.2.2).
pub(crate) fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let key = key.as_bytes().trim_ascii();
    STANDARD.decode(key).ok().filter(|nonce| nonce.len() == 16)?;
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(GUID);
    HeaderValue::from_str(&STANDARD.encode(digest.finish())).ok()
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_key_is_accepted() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn other_keys_are_refused() {
        for key in ["", "x", "dGhlIHNhbXBsZQ=="] {
            assert_eq!(accept(&HeaderValue::from_static(key)), None);
        }
    }

    #[test]
    fn both_headers_are_lists_in_any_case() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, upgrade"));
        assert!(!is_asked(&headers));
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        assert!(is_asked(&headers));
    }
}
