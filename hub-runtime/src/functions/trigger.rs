//! The value of a `signalRTrigger`, as the upstream request that it was, and the answer to it.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::call::FunctionCall;

/// The call does not say whether the client waits, so it is answered as if it did; the host drops the
/// result of a client that does not.
const WAITING: &str = "functions";

/// What the host tells of one upstream call. Who calls, and what, is read from `Headers` alone: they are
/// what the service signed. `Claims`, `UserId` and the rest of the members are the host's reading of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Trigger {
    category: String,
    event: String,
    #[serde(rename = "ConnectionId")]
    _connection_id: String,
    arguments: Option<Box<RawValue>>,
    error: Option<String>,
    headers: Option<HashMap<String, Option<String>>>,
}

/// What the app answered to the upstream request.
#[derive(Debug, PartialEq)]
pub(super) enum TriggerResult {
    /// The method's result; `null` without one.
    Value(Value),
    /// The method failed or was not called, and why in the words for the client.
    Failed(StatusCode, String),
}

impl Trigger {
    /// The trigger's value among those of a call; its name is that of the binding.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice::<FunctionCall>(body).ok()?.find()
    }

    /// The request as the service sent it. The arguments have been decoded by the host, so the body is
    /// JSON whatever the client spoke.
    pub(super) fn into_upstream(self) -> (Parts, Bytes) {
        let body = self.body();
        let (mut parts, ()) = Request::new(()).into_parts();
        for (name, value) in self.headers.unwrap_or_default() {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
            if let (Ok(name), Some(value)) = (name, value) {
                parts.headers.append(name, value);
            }
        }
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::TRANSFER_ENCODING);
        let json = HeaderValue::from_static("application/json");
        parts.headers.insert(header::CONTENT_TYPE, json);
        (parts, body)
    }

    fn body(&self) -> Bytes {
        let body = if self.category.eq_ignore_ascii_case("connections") {
            if self.event.eq_ignore_ascii_case("disconnected") {
                serde_json::json!({"type": 11, "error": self.error}).to_string()
            } else {
                r#"{"type":10}"#.to_owned()
            }
        } else {
            let arguments = match self.arguments.as_deref().map(RawValue::get) {
                Some("null") | None => "[]",
                Some(arguments) => arguments,
            };
            let target = Value::from(self.event.as_str());
            format!(
                r#"{{"type":1,"invocationId":"{WAITING}","target":{target},"arguments":{arguments}}}"#
            )
        };
        Bytes::from(body)
    }
}

/// Takes the completion out of an upstream answer.
pub(super) fn read(answer: &Response<Bytes>) -> TriggerResult {
    #[derive(Deserialize)]
    struct Completion {
        #[serde(default)]
        result: Value,
        error: Option<String>,
    }

    let status = answer.status();
    if !status.is_success() {
        let body = String::from_utf8_lossy(answer.body());
        let text =
            if body.is_empty() { status.canonical_reason().unwrap_or("refused") } else { &body };
        return TriggerResult::Failed(status, text.to_owned());
    }
    let body = answer.body().strip_suffix(b"\x1e").unwrap_or(answer.body());
    match serde_json::from_slice(body) {
        // An answer without a body is that of `connected` and `disconnected`.
        Err(_) => TriggerResult::Value(Value::Null),
        Ok(Completion { error: Some(error), .. }) => {
            TriggerResult::Failed(StatusCode::INTERNAL_SERVER_ERROR, error)
        }
        Ok(Completion { result, .. }) => TriggerResult::Value(result),
    }
}
