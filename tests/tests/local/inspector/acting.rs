//! Actions, the test client, and calls that run again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use hub_local::Inspector;
use serde_json::{Value, json};
use test_support::Client;

use super::{HOST, Inspected, invoke, refusal};
use crate::support::{App, answer};

async fn act(inspected: &Inspected, action: Value) -> crate::support::RestResponse {
    inspected.post("/inspector/act", &action).await
}

#[tokio::test]
async fn a_send_reaches_all_a_group_a_user_or_a_connection() {
    let inspected = Inspected::new(Inspector::new());
    let (mut ada, id) = inspected.fixture.client_and_id("ada").await;
    let _bob = inspected.fixture.client("bob").await;
    let join = json!({ "action": "join", "hub": "Chat", "group": "room", "connection": id });
    assert_eq!(act(&inspected, join).await.status, 200);

    for (target, recipients) in [
        (json!({ "kind": "all" }), 2),
        (json!({ "kind": "group", "name": "room" }), 1),
        (json!({ "kind": "user", "name": "ada" }), 1),
        (json!({ "kind": "connection", "name": id }), 1),
        (json!({ "kind": "user", "name": "nobody" }), 0),
    ] {
        let send = json!({ "action": "send", "hub": "chat", "target": target, "method": "m", "arguments": [1] });
        let answer = act(&inspected, send).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "recipients": recipients })));
    }

    for _ in 0..4 {
        assert_eq!(ada.recv().await, json!({ "type": 1, "target": "m", "arguments": [1] }));
    }
    let sends = inspected.events_of("send").await;
    assert!(sends.len() == 5 && sends.iter().all(|event| event["via"] == "inspector"));
    let joined = &inspected.events_of("group").await[0];
    assert_eq!((&joined["action"], &joined["group"]), (&json!("join"), &json!("room")));
}

#[tokio::test]
async fn memberships_and_closes_have_an_effect() {
    let inspected = Inspected::new(Inspector::new());
    let (mut client, id) = inspected.fixture.client_and_id("ada").await;
    let groups = async || inspected.state().await["clients"][0]["groups"].clone();

    let user = json!({ "action": "join", "hub": "chat", "group": "team", "user": "ada", "ttl_seconds": 60 });
    assert_eq!(act(&inspected, user).await.status, 200);
    assert_eq!(groups().await, json!(["team"]));
    let leave = json!({ "action": "leave", "hub": "chat", "group": "team", "user": "ada" });
    assert_eq!(act(&inspected, leave).await.status, 200);
    assert_eq!(groups().await, json!([]));
    let close = json!({ "action": "close", "hub": "chat", "connection": id, "reason": "go away" });
    assert_eq!(act(&inspected, close).await.status, 200);

    assert_eq!(client.recv().await["error"], "go away");
}

#[tokio::test]
async fn actions_that_are_not_valid_name_the_problem() {
    let inspected = Inspected::new(Inspector::new());
    let _client = inspected.fixture.client("ada").await;
    let send =
        |target: Value| json!({ "action": "send", "hub": "chat", "target": target, "method": "m" });
    let join = |more: Value| {
        let mut join = json!({ "action": "join", "hub": "chat", "group": "g" });
        join.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        join
    };

    for (action, status) in [
        (send(json!({ "kind": "group" })), 400),
        (send(json!({ "kind": "group", "name": ".." })), 400),
        (
            json!({ "action": "send", "hub": "chat", "target": { "kind": "all" }, "method": " " }),
            400,
        ),
        (
            json!({ "action": "send", "hub": "none", "target": { "kind": "all" }, "method": "m" }),
            404,
        ),
        (json!({ "action": "close", "hub": "chat", "connection": "none" }), 404),
        (join(json!({ "connection": "none" })), 404),
        (join(json!({})), 400),
        (join(json!({ "connection": "a", "user": "b" })), 400),
        (join(json!({ "connection": "a", "ttl_seconds": 5 })), 400),
        (json!({ "action": "run_again", "call": 77 }), 404),
    ] {
        refusal(&act(&inspected, action).await, status);
    }
}

#[tokio::test]
async fn clear_removes_the_events() {
    let inspected = Inspected::new(Inspector::new());
    let _client = inspected.fixture.client("ada").await;
    assert!(!inspected.events().await.is_empty());

    assert_eq!(act(&inspected, json!({ "action": "clear" })).await.status, 200);

    assert!(inspected.events().await.is_empty());
    assert_eq!(inspected.state().await["events"]["left_out"], 0);
}

/// An app that responds with the number of the call.
fn counting() -> App {
    let calls = Arc::new(AtomicU64::new(0));
    App::new(move |call| {
        let number = calls.fetch_add(1, Ordering::Relaxed);
        async move {
            match call.json()["invocationId"].is_string() {
                true => call
                    .completion(&json!({ "call": number, "arguments": call.json()["arguments"] })),
                false => answer(200, ""),
            }
        }
    })
}

#[tokio::test]
async fn a_call_runs_again_as_it_was_or_with_other_arguments() {
    let inspected = Inspected::with(Inspector::new(), counting());
    let mut client = inspected.fixture.client("ada").await;
    invoke(&mut client, "7", "add", json!([1, 2])).await;
    let call = inspected.events_of("invocation").await[0]["call"].clone();

    let again = act(&inspected, json!({ "action": "run_again", "call": call })).await.json();
    let other = json!({ "action": "run_again", "call": call, "arguments": [5] });
    let other = act(&inspected, other).await.json();

    assert_eq!(again["first"]["call"], call);
    assert_eq!(again["again"]["call"], again["call"]);
    assert_eq!(again["first"]["body"]["result"], json!({ "call": 1, "arguments": [1, 2] }));
    assert_eq!(again["again"]["body"]["result"], json!({ "call": 2, "arguments": [1, 2] }));
    assert_eq!(other["again"]["body"]["result"], json!({ "call": 3, "arguments": [5] }));
    let invocations = inspected.events_of("invocation").await;
    assert_eq!(invocations[1]["again"], call);
    let ids: std::collections::HashSet<_> =
        invocations.iter().map(|it| it["invocation"].to_string()).collect();
    assert_eq!(ids.len(), 3, "each run has an invocation id of its own");
    let headers = &inspected.fixture.app.calls()[2].headers;
    assert_eq!(headers["x-asrs-user-id"], "ada");
    invoke(&mut client, "8", "add", json!([])).await;
    assert_eq!(
        inspected.events_of("completion").await.len(),
        2,
        "the client got no completion of the second run"
    );
}

#[tokio::test]
async fn a_call_does_not_run_again_without_its_client_or_with_cut_arguments() {
    let inspected = Inspected::with(Inspector::new(), counting());
    let mut client = inspected.fixture.client("ada").await;
    invoke(&mut client, "7", "add", json!(["x".repeat(40_000)])).await;
    let call = inspected.events_of("invocation").await[0]["call"].clone();
    let run = json!({ "action": "run_again", "call": call });

    assert!(refusal(&act(&inspected, run.clone()).await, 409).contains("not kept completely"));
    let mut given = run.clone();
    given["arguments"] = json!([1]);
    assert_eq!(act(&inspected, given).await.status, 200);
    drop(client);
    inspected.fixture.app.called("disconnected").await;

    assert!(refusal(&act(&inspected, run).await, 409).contains("disconnected"));
}

#[tokio::test]
async fn the_test_client_connects_with_a_token_of_the_service() {
    let inspected = Inspected::new(Inspector::new());
    let claims = json!([{ "type": "role", "value": "a, b: c" }, { "type": "role", "value": "d" }, { "type": "exp", "value": "x" }]);

    let answer = inspected
        .post("/inspector/client", &json!({ "hub": "Chat", "user": "eve", "claims": claims }))
        .await;

    let (url, token) = (answer.json()["url"].clone(), answer.json()["accessToken"].clone());
    assert_eq!(url, format!("http://{HOST}/client/?hub=chat"));
    let connected =
        inspected.fixture.service.connect_memory(url.as_str().unwrap(), token.as_str().unwrap());
    let mut client = Client::in_memory(connected.unwrap());
    client.handshake().await;
    assert_eq!(invoke(&mut client, "1", "add", json!([])).await["result"], 3);
    let connected = &inspected.events_of("connected").await[0];
    assert_eq!(connected["user"], "eve");
    assert_eq!(
        connected["claims"].as_array().unwrap()[..2],
        [json!({ "type": "role", "value": "a, b: c" }), json!({ "type": "role", "value": "d" })]
    );
    let upstream =
        inspected.fixture.app.calls()[0].header("x-asrs-user-claims").unwrap().to_owned();
    assert!(upstream.contains("shub: 1."), "{upstream}");
    for bad in [
        json!({ "hub": "" }),
        json!({ "hub": "a b" }),
        json!({ "hub": "chat", "user": " x" }),
        json!({ "user": "x" }),
    ] {
        refusal(&inspected.post("/inspector/client", &bad).await, 400);
    }
}
