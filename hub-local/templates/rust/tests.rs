//! Tests of the hub with real clients and a real service, in memory.

use hub_runtime::testing::{Request, TestHub};
use serde_json::json;

use crate::hub::Chat;

#[tokio::test]
async fn everyone_receives_what_ada_says() {
    let hub = TestHub::new(Chat);
    let ada = hub.user("ada").connect().await.unwrap();
    let bob = hub.user("bob").connect().await.unwrap();

    ada.call().say("hi").await.unwrap();

    for client in [&ada, &bob] {
        let said = [json!([{ "user": "ada", "text": "hi" }])];
        assert_eq!(client.received("said").await, said);
    }
    assert_eq!(
        ada.received("joined").await,
        [json!(["ada"]), json!(["bob"])]
    );
}

#[tokio::test]
async fn an_empty_text_is_refused() {
    let hub = TestHub::new(Chat);
    let ada = hub.user("ada").connect().await.unwrap();

    let refused = ada.call().say(" ").await.unwrap_err();

    assert_eq!(refused, "Enter a text.");
}

#[tokio::test]
async fn a_connection_needs_a_name() {
    let hub = TestHub::new(Chat);
    let negotiate = |path: &str| Request::post(path).body(()).unwrap();

    let ada = hub.negotiate(negotiate("/chat/negotiate?user=ada")).await;
    let refused = hub.negotiate(negotiate("/chat/negotiate?user=")).await;

    assert!(ada.is_ok());
    assert_eq!(refused.unwrap_err(), "400: Enter a name.");
}
