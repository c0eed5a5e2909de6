//! Connects a test client: negotiates at the service and performs the handshake.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hub_core::protocol::{Protocol, frame::Frames, handshake};
use hub_local::{LocalService, MemoryReceiver, MemorySender};
use serde::Deserialize;
use tower_service::Service;

use super::{TestFailure, client::Ticket};

/// Negotiates at the service. Returns the connection id and the connection token.
pub(super) async fn negotiate(
    service: &LocalService,
    ticket: &Ticket,
) -> Result<(String, String), TestFailure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Negotiated {
        connection_id: String,
        connection_token: String,
    }
    let url = ticket.url.replacen("/client/?", "/client/negotiate?", 1);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{url}&negotiateVersion=1"))
        .header(header::AUTHORIZATION, format!("Bearer {}", ticket.access_token))
        .body(Full::new(Bytes::new()))
        .map_err(TestFailure::new)?;
    let Ok(answer) = service.clone().call(request).await;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(TestFailure::new)?.to_bytes();
    if status != StatusCode::OK {
        return Err(TestFailure::answered(status, &body));
    }
    let negotiated: Negotiated = serde_json::from_slice(&body).map_err(TestFailure::new)?;
    Ok((negotiated.connection_id, negotiated.connection_token))
}

/// Performs the handshake for the JSON protocol.
pub(super) async fn shake_hands(
    sender: &MemorySender,
    receiver: &mut MemoryReceiver,
    frames: &mut Frames,
) -> Result<(), TestFailure> {
    let request = handshake::request(Protocol::Json);
    sender.send(request).await.map_err(TestFailure::new)?;
    loop {
        if let Some(record) = frames.next_frame().map_err(TestFailure::new)? {
            return match handshake::parse_response(&record).map_err(TestFailure::new)? {
                Some(refusal) => Err(TestFailure::new(refusal)),
                None => Ok(()),
            };
        }
        let Some(bytes) = receiver.recv().await else {
            return Err(TestFailure::new("the service closed the connection at the handshake"));
        };
        frames.push(&bytes);
    }
}
