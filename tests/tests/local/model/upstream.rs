//! The app. The name of a method selects the app's behaviour. The app records all upstream calls.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method as Verb, Request, Response, header::CONTENT_TYPE};
use hub_core::protocol::{Message, Outcome, Protocol, convert};
use hub_local::{LocalService, Upstream, UpstreamError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::rest;
use crate::support::answer;

/// An upstream call with its start time.
#[derive(Debug)]
pub(super) struct UpstreamCall {
    pub(super) at: Instant,
    pub(super) connection: String,
    pub(super) text: String,
}

#[derive(Clone, Default)]
pub(super) struct ModelApp {
    seen: Arc<Mutex<Vec<UpstreamCall>>>,
    pub(super) service: Arc<OnceLock<LocalService>>,
}

impl ModelApp {
    /// Takes the upstream calls since the previous `take`.
    pub(super) fn take(&self) -> Vec<UpstreamCall> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn note(&self, connection: &str, text: String) {
        let seen = UpstreamCall { at: Instant::now(), connection: connection.to_owned(), text };
        self.seen.lock().unwrap().push(seen);
    }

    async fn event(&self, event: &str, body: &Value, user: &str, hub: &str, connection: &str) {
        if event == "connected" {
            let user = if user.is_empty() { "-" } else { user };
            self.note(connection, format!("connected {user} at {hub}"));
            if user == "u2" {
                sleep(Duration::from_secs(2)).await;
            }
            return;
        }
        let error = body["Error"].as_str().map_or_else(String::new, |it| format!(": {it}"));
        self.note(connection, format!("{event}{error}"));
    }
}

#[async_trait]
impl Upstream for ModelApp {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        let (parts, body) = request.into_parts();
        let header = |name: &str| {
            let value = parts.headers.get(name).map_or(&b""[..], |value| value.as_bytes());
            str::from_utf8(value).unwrap()
        };
        let (hub, event) = (header("x-asrs-hub"), header("x-asrs-event"));
        let connection = header("x-asrs-connection-id");
        if header("x-asrs-category") == "connections" {
            let body = serde_json::from_slice(&body).unwrap();
            self.event(event, &body, header("x-asrs-user-id"), hub, connection).await;
            return Ok(answer(200, ""));
        }
        let protocol = Protocol::from_content_type(header(CONTENT_TYPE.as_str())).unwrap();
        let (number, invocation_id) = number(protocol, &body);
        self.note(connection, format!("{event} {number}"));
        let result = || {
            let invocation_id = invocation_id.clone().unwrap_or_default();
            let value = encoded(protocol, number);
            let outcome = Outcome::Result(value);
            answer(200, protocol.encode(&Message::Completion { invocation_id, outcome }))
        };
        match event {
            "Result" => Ok(result()),
            "Nothing" => Ok(answer(204, "")),
            "Empty" => Ok(answer(200, "")),
            "Fails" => Ok(answer(500, "")),
            "Slow" => {
                sleep(Duration::from_secs(3)).await;
                Ok(result())
            }
            "Tells" => {
                let below = format!("hubs/{hub}/connections/{connection}/:send");
                let body = json!({ "target": "told", "arguments": [number] }).to_string();
                let service = self.service.get().unwrap();
                let path = format!("/api/{below}?api-version=2024-12-01");
                let told = rest::call(service, &Verb::POST, &path, rest::GOOD, body).await;
                assert_eq!(told.status, 202);
                Ok(result())
            }
            _ => Err(UpstreamError::Unreachable("connection refused".into())),
        }
    }
}

/// The only argument of a call, a number, and the invocation id.
fn number(protocol: Protocol, body: &Bytes) -> (u64, Option<String>) {
    let Some(Message::Invocation { invocation_id, arguments, .. }) = protocol.parse(body).unwrap()
    else {
        panic!("not a call");
    };
    (first(protocol, &arguments), invocation_id)
}

/// The first number of an encoded list.
pub(super) fn first(protocol: Protocol, arguments: &Bytes) -> u64 {
    let json = convert(arguments, protocol, Protocol::Json).unwrap();
    serde_json::from_slice::<Value>(&json).unwrap()[0].as_u64().unwrap()
}

/// Encodes a number.
pub(super) fn encoded(protocol: Protocol, number: u64) -> Bytes {
    let json = Bytes::from(number.to_string());
    convert(&json, Protocol::Json, protocol).unwrap()
}
