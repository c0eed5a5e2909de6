//! The system claims of client tokens.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{App, Client, Fixture, URL, signed, unix_now};

/// Opens a client whose token has these claims in addition to the usual ones.
fn open(fixture: &Fixture, claims: &Value) -> Client {
    let url = format!("{URL}/client/?hub=chat");
    let mut all = json!({ "aud": url, "exp": unix_now() + 3600 });
    let members = claims.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(members);
    Client::in_memory(fixture.service.connect_memory(&url, &signed(&all)).unwrap())
}

#[tokio::test(start_paused = true)]
async fn close_on_expiry_closes_the_client_with_allow_reconnect() {
    let fixture = Fixture::new(App::silent());
    let expiry = (unix_now() + 100).to_string();
    let claims = json!({ "asrs.s.coae": "true", "asrs.s.aeo": expiry });
    let mut client = open(&fixture, &claims);
    client.handshake().await;
    let started = Instant::now();

    assert_eq!(client.recv_text().await, "{\"type\":7,\"allowReconnect\":true}\x1e");

    assert!((98..=101).contains(&started.elapsed().as_secs()));
    assert_eq!(client.recv_text().await, "");
    assert_eq!(fixture.app.called("disconnected").await.body, "{\"Type\":11}");
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_closes_the_connection_after_the_handshake() {
    let fixture = Fixture::new(App::silent());
    let mut client = open(&fixture, &json!({ "asrs.s.coae": "true", "asrs.s.aeo": "1" }));
    client.handshake().await;

    assert_eq!(client.recv_text().await, "{\"type\":7,\"allowReconnect\":true}\x1e");
}

#[tokio::test(start_paused = true)]
async fn clients_without_close_on_expiry_and_diagnostic_clients_stay() {
    let fixture = Fixture::new(App::silent());
    let soon = unix_now() + 10;
    for claims in [
        json!({ "asrs.s.coae": "true", "asrs.s.aeo": soon, "asrs.s.dc": "true" }),
        json!({ "asrs.s.aeo": soon }),
        json!({ "asrs.s.coae": "true", "asrs.s.aeo": "never" }),
        json!({ "asrs.s.coae": "true", "asrs.s.aeo": u64::MAX }),
    ] {
        let mut client = open(&fixture, &claims);
        client.handshake().await;

        sleep(Duration::from_mins(1)).await;
        client.call_with_id("1", "alive").await;

        assert_eq!(client.recv_text().await, "{\"type\":3,\"invocationId\":\"1\"}\x1e", "{claims}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_sets_the_handshake_timeout_up_to_thirty_seconds() {
    let fixture = Fixture::new(App::silent());
    for (claim, seconds) in [("3", 3), ("25", 25), ("30", 30), ("300", 30), ("0", 15), ("x", 15)] {
        let started = Instant::now();
        let mut client = open(&fixture, &json!({ "asrs.s.cht": claim }));

        assert_eq!(client.recv_text().await, "{\"error\":\"Handshake was canceled.\"}\x1e");

        assert_eq!(started.elapsed().as_secs(), seconds, "{claim}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_with_detailed_errors_gets_the_cause() {
    let fixture = Fixture::new(App::silent());
    let detailed = json!({ "asrs.s.derror": "True" });
    let mut malformed = open(&fixture, &detailed);
    let mut client = open(&fixture, &detailed);
    client.handshake().await;

    malformed.send_text("{}").await;
    client.send_text("{\"type\":1}").await;

    let refused = malformed.recv_text().await;
    assert!(refused.contains("ProtocolError: ") && refused.contains("protocol"), "{refused}");
    let closed = client.recv_text().await;
    let start = "{\"type\":7,\"error\":\"Connection closed with an error. ProtocolError: ";
    assert!(closed.starts_with(start), "{closed}");
    assert!(closed.ends_with("\",\"allowReconnect\":true}\x1e"));
}
