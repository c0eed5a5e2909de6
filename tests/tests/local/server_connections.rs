//! `/server/`, where apps that are not serverless connect.

use serde_json::json;

use crate::{
    support::{App, Fixture, signed, unix_now},
    wire::{UPGRADE, Wire},
};

/// Sends a request to `/server/` as Microsoft's SDKs do.
async fn connect(fixture: &Fixture, headers: &str) -> Wire {
    let aud = "http://127.0.0.1:8888/server/?hub=chat";
    let token = signed(&json!({ "aud": aud, "exp": unix_now() + 60 }));
    let mut wire = Wire::pipe(&fixture.service);
    let head = format!(
        "GET /server/?hub=chat&cid=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{headers}\r\n"
    );
    wire.write(head.as_bytes()).await;
    wire
}

#[tokio::test(start_paused = true)]
async fn an_app_server_reads_the_cause_in_the_handshake_of_the_service_protocol() {
    let fixture = Fixture::new(App::silent());
    let mut wire = connect(&fixture, UPGRADE).await;
    assert_eq!(wire.head().await.status, 101);

    // HandshakeRequest with version 1: [1, 1].
    wire.frame(0x82, b"\x03\x92\x01\x01").await;

    let (first, payload) = wire.recv_frame().await.unwrap();
    assert_eq!(first, 0x82);
    let [low, high, message @ ..] = &payload[..] else { panic!("{payload:?}") };
    assert_eq!(usize::from(low & 0x7F) + 128 * usize::from(*high), message.len());
    let text = "this service is serverless only: check that the app uses the transient (REST) \
                transport (ServiceTransportType.Transient in the Management SDK); AddAzureSignalR() needs a \
                service in default mode";
    let expected =
        [b"\x94\x02\xD9", &[text.len() as u8][..], text.as_bytes(), b"\x80\xA0"].concat();
    assert_eq!(message, expected);
    wire.frame(0x88, b"\x03\xe8").await;
    wire.expect_close().await;
}

#[tokio::test(start_paused = true)]
async fn an_app_server_that_sends_nothing_is_closed_in_time() {
    let fixture = Fixture::new(App::silent());
    let mut wire = connect(&fixture, UPGRADE).await;
    assert_eq!(wire.head().await.status, 101);
    let begun = tokio::time::Instant::now();

    assert!(wire.is_closed().await);

    assert_eq!(begun.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn without_an_upgrade_the_cause_is_in_the_body() {
    let fixture = Fixture::new(App::silent());

    let response = connect(&fixture, "").await.answer().await;

    assert_eq!(response.status, 400);
    assert!(response.body.starts_with("this service is serverless only"), "{}", response.body);
}
