//! A local service with an app that accepts everything, and clients that check what they receive.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hub_core::{
    protocol::{Message, Outcome, Protocol, frame::Frames, handshake},
    token,
};
use hub_local::{Limits, LocalService, MemoryReceiver, MemorySender, Upstream, UpstreamError};
use serde_json::json;

use crate::world::{KEY, NEVER, key, settle};

/// The public URL of the services.
pub(crate) const URL: &str = "http://127.0.0.1:8888";
/// The only hub.
pub(crate) const HUB: &str = "chat";
/// Maximum size of a message in bytes. It is small, so that small inputs can exceed it.
pub(crate) const MAX_MESSAGE: usize = 1024;

/// An upstream call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) connection_id: String,
    pub(crate) event: String,
    pub(crate) body: Bytes,
}

/// An app that responds to every call with the same bytes.
#[derive(Clone, Default)]
pub(crate) struct App {
    answer: Bytes,
    told: Arc<Mutex<Vec<Told>>>,
}

impl App {
    pub(crate) fn answering(answer: &[u8]) -> Self {
        Self { answer: Bytes::copy_from_slice(answer), told: Arc::default() }
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().expect("the lock is not poisoned").clone()
    }
}

#[async_trait]
impl Upstream for App {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, UpstreamError> {
        let (parts, body) = request.into_parts();
        let header = |name| String::from_utf8_lossy(parts.headers[name].as_bytes()).into_owned();
        let (connection_id, event) = (header("x-asrs-connection-id"), header("x-asrs-event"));
        self.told.lock().expect("the lock is not poisoned").push(Told {
            connection_id,
            event,
            body,
        });
        Ok(Response::new(self.answer.clone()))
    }
}

/// Creates a service for one input, so that each finding depends on only one input.
pub(crate) fn service(app: App) -> LocalService {
    let limits = Limits::default().max_message_bytes(MAX_MESSAGE);
    LocalService::builder()
        .key(KEY)
        .public_url(URL)
        .limits(limits)
        .detailed_errors(true)
        .upstream(app)
        .build()
}

pub(crate) fn client_url() -> String {
    format!("{URL}/client/?hub={HUB}")
}

pub(crate) fn client_token(user: &str) -> String {
    let claims = json!({ "aud": client_url(), "exp": NEVER, "asrs.s.uid": user });
    token::sign(&claims, &key()).expect("claims are JSON")
}

/// The messages that a client has received, shared with the task that reads them.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Message>>>);

impl Heard {
    pub(crate) fn all(&self) -> Vec<Message> {
        self.0.lock().expect("the lock is not poisoned").clone()
    }
}

/// Connects a client that reads in a task. Each frame must be a valid message. If a call
/// expects a result, the client sends `result` as its completion.
pub(crate) async fn listener(
    service: &LocalService,
    user: &str,
    protocol: Protocol,
    result: &[u8],
) -> Heard {
    let client =
        service.connect_memory(&client_url(), &client_token(user)).expect("the token is valid");
    let (sender, receiver) = client.split();
    sender.send(handshake::request(protocol)).await.expect("the connection is open");
    let heard = Heard::default();
    let result = Bytes::copy_from_slice(result);
    tokio::spawn(listen(sender, receiver, protocol, result, heard.clone()));
    settle().await;
    heard
}

async fn listen(
    sender: MemorySender,
    mut receiver: MemoryReceiver,
    protocol: Protocol,
    result: Bytes,
    heard: Heard,
) {
    let accepted = receiver.recv().await.expect("the handshake response arrives");
    assert_eq!(accepted, handshake::ACCEPTED);
    while let Some(bytes) = receiver.recv().await {
        for message in messages(protocol, &bytes) {
            if let Message::Invocation { invocation_id: Some(id), .. } = &message {
                let (invocation_id, outcome) = (id.clone(), Outcome::Result(result.clone()));
                let completion = Message::Completion { invocation_id, outcome };
                // Sending fails only when the service has closed the connection.
                let _ = sender.send(protocol.encode(&completion)).await;
            }
            heard.0.lock().expect("the lock is not poisoned").push(message);
        }
    }
}

/// Splits bytes into messages. The service sends whole frames, so no bytes may remain.
pub(crate) fn messages(protocol: Protocol, bytes: &[u8]) -> Vec<Message> {
    let mut frames = Frames::new(usize::MAX);
    frames.switch_to(protocol);
    frames.push(bytes);
    let mut messages = Vec::new();
    while let Some(frame) = frames.next_frame().expect("the frame is valid") {
        messages.push(
            protocol
                .parse(&frame)
                .expect("a hub message is expected")
                .expect("the message type is known"),
        );
    }
    assert!(frames.is_empty(), "the frame contains complete messages");
    messages
}
