//! The handshake: its request and response, and the response of the service to each request.

use bytes::Bytes;
use hub_core::protocol::{
    Protocol,
    frame::{Frames, RECORD_SEPARATOR},
    handshake::{self, HandshakeRequest},
};
use serde_json::json;

use crate::{
    clients::{App, MAX_MESSAGE, client_token, client_url, service},
    pieces::cut,
    world::{self, settle},
};

/// The newest version that the service supports.
const NEWEST: i64 = 2;

/// Parses the input as request and as response, then sends it to a service in pieces of the length
/// that the first byte defines.
pub fn run(data: &[u8]) {
    let asked = handshake::parse_request(data).ok();
    if let Some(HandshakeRequest { protocol, version }) = &asked {
        let written = json!({ "version": version, "protocol": protocol }).to_string();
        assert_eq!(handshake::parse_request(written.as_bytes()).unwrap(), asked.clone().unwrap());
    }
    if let Ok(Some(error)) = handshake::parse_response(data) {
        let written = handshake::refused(&error);
        let record = &written[..written.len() - 1];
        assert_eq!(handshake::parse_response(record).unwrap(), Some(error));
    }
    let Some((length, said)) = data.split_first() else { return };
    world::run(with_service(said, *length));
}

async fn with_service(said: &[u8], piece: u8) {
    let app = App::default();
    let service = service(app.clone());
    let mut client = service
        .connect_memory(&client_url(), &client_token("ada"))
        .expect("the connection is accepted");
    for piece in cut(said, &[piece]) {
        // Sending fails only when the service has closed the connection.
        if client.send(Bytes::copy_from_slice(piece)).await.is_err() {
            break;
        }
    }
    settle().await;
    let told = app.told();
    let accepted = expected(said);
    assert_eq!(!told.is_empty(), accepted == Some(true), "an accepted client is connected");
    match accepted {
        Some(true) => assert_eq!(client.recv().await.unwrap(), handshake::ACCEPTED),
        Some(false) => {
            let answer = client.recv().await.expect("the service responds");
            let record =
                answer.strip_suffix(&[RECORD_SEPARATOR]).expect("the response is one record");
            let error =
                handshake::parse_response(record).expect("the response is a handshake response");
            assert!(error.is_some_and(|error| !error.is_empty()));
            assert_eq!(client.recv().await, None);
        }
        // The request is incomplete.
        None => {}
    }
    drop(client);
    service.shutdown().await;
}

/// Whether the service accepts these first bytes of a connection. `None` if the handshake request is incomplete.
fn expected(said: &[u8]) -> Option<bool> {
    let mut frames = Frames::new(MAX_MESSAGE);
    frames.push(said);
    let record = match frames.next_frame() {
        Ok(record) => record?,
        Err(_) => return Some(false),
    };
    let request = handshake::parse_request(&record).ok();
    Some(request.is_some_and(|HandshakeRequest { protocol, version }| {
        Protocol::from_name(&protocol).is_some() && version <= NEWEST
    }))
}
