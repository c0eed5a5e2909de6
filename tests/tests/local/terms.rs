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
async fn a_client_that_asked_for_it_is_closed_with_its_token_and_may_come_back() {
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
async fn a_token_that_has_ended_already_closes_right_after_the_handshake() {
    let fixture = Fixture::new(App::silent());
    let mut client = open(&fixture, &json!({ "asrs.s.coae": "true", "asrs.s.aeo": "1" }));
    client.handshake().await;

    assert_eq!(client.recv_text().await, "{\"type\":7,\"allowReconnect\":true}\x1e");
}

#[tokio::test(start_paused = true)]
async fn diagnostic_clients_and_those_who_did_not_ask_stay() {
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
async fn a_handshake_may_take_as_long_as_the_token_says_up_to_thirty_seconds() {
    let fixture = Fixture::new(App::silent());
    for (claim, seconds) in [("3", 3), ("25", 25), ("30", 30), ("300", 30), ("0", 15), ("x", 15)] {
        let started = Instant::now();
        let mut client = open(&fixture, &json!({ "asrs.s.cht": claim }));

        assert_eq!(client.recv_text().await, "{\"error\":\"Handshake was canceled.\"}\x1e");

        assert_eq!(started.elapsed().as_secs(), seconds, "{claim}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_ask_what_exactly_it_did_wrong() {
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
