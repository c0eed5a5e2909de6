//! A client of a replay, in the same process as the service.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Full};
use hub_core::{
    client_access::client_url,
    protocol::{Message, Outcome, Protocol, frame::Frames, handshake},
    seal::{self, Identity, SealKey},
    token,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tower_service::Service as _;

use super::{
    encode,
    recording::{Client, ClientResult},
};
use crate::{LocalService, MemoryReceiver, MemorySender};

/// The lifetime of the tokens.
const TOKEN_SECONDS: u64 = 24 * 3600;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// The answer of a client to an invocation that it did not get in the recording.
const NO_RESULT: &str = "the recording has no result of the client";
/// Claims of the token itself.
const OWN_CLAIMS: [&str; 5] = ["aud", "exp", "iat", "nbf", seal::CLAIM];

/// A connected client. Dropping it has the effect of a lost transport.
pub(super) struct Connected {
    pub(super) id: String,
    protocol: Protocol,
    sender: MemorySender,
    next: u64,
    _reading: AbortOnDropHandle<()>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Negotiated {
    connection_id: String,
    connection_token: String,
}

impl Connected {
    /// Connects with a new token.
    ///
    /// # Errors
    /// The text of the refusal.
    pub(super) async fn open(
        service: &LocalService,
        client: &Client,
        results: VecDeque<ClientResult>,
        sealing: &SealKey,
    ) -> Result<Self, String> {
        let token = token(service, client, sealing)?;
        let negotiated = negotiate(service, client, &token).await?;
        let query = format!("{}&id={}", query(client), negotiated.connection_token);
        let url = format!("{}/client/?{query}", service.public_url());
        let connection = service.connect_memory(&url, &token).map_err(|it| it.to_string())?;
        let (sender, mut receiver) = connection.split();
        let mut protocols = Protocol::ALL.iter().copied();
        let protocol = protocols.find(|protocol| protocol.is_binary() == client.is_binary).ok_or(
            "a client of the recording uses MessagePack: build with the feature `msgpack`",
        )?;
        let closed = || "the service closed the connection at the handshake".to_owned();
        sender.send(handshake::request(protocol)).await.map_err(|_| closed())?;
        let mut frames = Frames::new(usize::MAX);
        let accepted = timeout(HANDSHAKE_TIMEOUT, accepted(&mut receiver, &mut frames));
        accepted.await.map_err(|_| closed())?.ok_or_else(closed)??;
        frames.switch_to(protocol);
        let reading = tokio::spawn(read(protocol, sender.clone(), receiver, frames, results));
        let _reading = AbortOnDropHandle::new(reading);
        Ok(Self { id: negotiated.connection_id, protocol, sender, next: 0, _reading })
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Calls a hub method, with a new invocation id if there is one. An error means that the connection has ended.
    pub(super) async fn call(&mut self, method: &str, is_invoke: bool, arguments: Bytes) {
        let invocation_id = is_invoke.then(|| format!("replay-{}", self.next));
        self.next += 1;
        let target = method.to_owned();
        let stream_ids = Vec::new();
        let message =
            Message::Invocation { invocation_id, target, arguments, stream_ids, trace: None };
        // The answer is missing if the connection has ended.
        let _ = self.sender.send(self.protocol.encode(&message)).await;
    }

    /// Closes the transport cleanly.
    pub(super) async fn close(self) {
        self.sender.close().await;
    }
}

async fn accepted(
    receiver: &mut MemoryReceiver,
    frames: &mut Frames,
) -> Option<Result<(), String>> {
    loop {
        if let Ok(Some(record)) = frames.next_frame() {
            return Some(match handshake::parse_response(&record) {
                Ok(None) => Ok(()),
                Ok(Some(refusal)) => Err(refusal),
                Err(error) => Err(error.to_string()),
            });
        }
        frames.push(&receiver.recv().await?);
    }
}

/// Reads until the connection ends, so that the client is not slow.
async fn read(
    protocol: Protocol,
    sender: MemorySender,
    mut receiver: MemoryReceiver,
    mut frames: Frames,
    mut results: VecDeque<ClientResult>,
) {
    loop {
        while let Ok(Some(frame)) = frames.next_frame() {
            let Ok(Some(message)) = protocol.parse(&frame) else { continue };
            if let Message::Invocation { invocation_id: Some(invocation_id), target, .. } = message
            {
                let outcome = next_result(protocol, &mut results, &target);
                let answer = Message::Completion { invocation_id, outcome };
                let _ = sender.send(protocol.encode(&answer)).await;
            }
        }
        let Some(bytes) = receiver.recv().await else { return };
        frames.push(&bytes);
    }
}

/// The recorded result of the next invocation of a method.
fn next_result(protocol: Protocol, results: &mut VecDeque<ClientResult>, method: &str) -> Outcome {
    let next = results.iter().position(|result| result.method == method);
    match next.and_then(|next| results.remove(next)).map(|result| result.outcome) {
        Some(Ok(None)) => Outcome::Void,
        Some(Ok(Some(value))) => match encode::value(protocol, &value) {
            Ok(bytes) => Outcome::Result(bytes),
            Err(text) => Outcome::Error(text),
        },
        Some(Err(text)) => Outcome::Error(text),
        None => Outcome::Error(NO_RESULT.to_owned()),
    }
}

async fn negotiate(
    service: &LocalService,
    client: &Client,
    token: &str,
) -> Result<Negotiated, String> {
    let url =
        format!("{}/client/negotiate?{}&negotiateVersion=1", service.public_url(), query(client));
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(Full::new(Bytes::new()))
        .map_err(|error| error.to_string())?;
    let Ok(answer) = service.clone().call(request).await;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    if status != StatusCode::OK {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
    }
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

/// The query of the recorded client, without what the service adds.
fn query(client: &Client) -> String {
    let own = ["hub", "id", "access_token", "negotiateVersion", "useStatefulReconnect"];
    let kept = client.query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !name.is_empty() && own.iter().all(|it| !it.eq_ignore_ascii_case(name))
    });
    let hub = format!("hub={}", client.hub);
    std::iter::once(&*hub).chain(kept).collect::<Vec<_>>().join("&")
}

/// A token with the claims of the client, and with a seal if the recorded token had one.
fn token(service: &LocalService, client: &Client, sealing: &SealKey) -> Result<String, String> {
    let Client { hub, user, claims, is_sealed, .. } = client;
    let now = service.now();
    let mut token = Map::new();
    let kept = claims.iter().filter(|claim| !OWN_CLAIMS.contains(&&*claim.name));
    for claim in kept.clone() {
        let value = Value::from(&*claim.value);
        match token.get_mut(&claim.name) {
            None => drop(token.insert(claim.name.clone(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    if *is_sealed {
        let claims = kept.map(|claim| (claim.name.clone(), claim.value.clone())).collect();
        let (hub, user_id) = (hub.clone(), user.clone());
        let identity = Identity { hub, user_id, issued_at: now, claims };
        token.insert(seal::CLAIM.to_owned(), seal::seal(&identity, sealing).into());
    }
    if let Some(user) = user {
        token.insert("asrs.s.uid".to_owned(), (&**user).into());
    }
    token.insert("aud".to_owned(), client_url(&service.public_url(), hub).into());
    token.insert("iat".to_owned(), now.into());
    token.insert("exp".to_owned(), (now + TOKEN_SECONDS).into());
    let key = service.signing_key().ok_or("the service has no key")?;
    token::sign(&token, &key).map_err(|error| error.to_string())
}
