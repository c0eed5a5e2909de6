//! Converts the value of a `signalRTrigger` to an upstream request, and the response to a result.
//!
//! Source: `InvocationContext` in Azure/azure-functions-signalrservice-extension, and
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-signalr-service-trigger>.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use hub_core::values::lost_number;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::call::FunctionCall;

/// The invocation id of all messages. The call of the host does not contain the original id, and does not
/// show whether the client sent an id. The host drops the result if the client did not request a result.
const INVOCATION_ID: &str = "functions";

/// An upstream call as the host describes it. The caller is read from `Headers` only, which the service
/// signed; `Claims` and `UserId` are copies that the host made without a signature.
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

/// The response to the upstream request.
#[derive(Debug, PartialEq)]
pub(super) enum TriggerResult {
    /// The result of the method, or `null`.
    Value(Value),
    /// The method failed or did not run; the text is the error for the client.
    Failed(StatusCode, String),
}

impl Trigger {
    /// Finds the value of the trigger in a call. The value has the name of its binding, which can be any name.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice::<FunctionCall>(body).ok()?.find()
    }

    /// Converts the call to the request of the service. The host has decoded the arguments, so the body is
    /// JSON for clients of both protocols.
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
                r#"{{"type":1,"invocationId":"{INVOCATION_ID}","target":{target},"arguments":{arguments}}}"#
            )
        };
        Bytes::from(body)
    }
}

/// Reads the completion message of an upstream response.
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
    if let Some(text) = lost_number(body) {
        return TriggerResult::Failed(StatusCode::INTERNAL_SERVER_ERROR, text);
    }
    match serde_json::from_slice(body) {
        // Responses to `connected` and `disconnected` have no body.
        Err(_) => TriggerResult::Value(Value::Null),
        Ok(Completion { error: Some(error), .. }) => {
            TriggerResult::Failed(StatusCode::INTERNAL_SERVER_ERROR, error)
        }
        Ok(Completion { result, .. }) => TriggerResult::Value(result),
    }
}
