//! Private parsers of client input, exported only for the fuzz targets.

use http::HeaderValue;
use serde_json::{Map, Value};

pub use crate::transport::websocket::fuzzing::{WebSocketEvent, WebSocketReader};

/// The value of `X-ASRS-User-Claims` for the claims of a token.
#[must_use]
pub fn claims_header(claims: &Map<String, Value>) -> Option<HeaderValue> {
    let text = crate::auth::identity::header(claims)?;
    HeaderValue::from_bytes(text.as_bytes()).ok()
}
