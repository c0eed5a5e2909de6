//! Guarantees of `docs/delivery.md` that no other test module covers.

use std::sync::{Arc, OnceLock};

use http::Method;
use serde_json::json;

use crate::support::{App, Fixture, answer, message};

#[tokio::test(start_paused = true)]
async fn awaited_sends_arrive_in_order_for_any_audience() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada").await;
    fixture.status(Method::PUT, &format!("groups/g/connections/{id}")).await;
    let to_one = format!("connections/{id}/:send");
    let targets = [":send", "groups/g/:send", "users/ada/:send", &to_one, ":send?excluded=absent"];

    for number in 0..50 {
        fixture.send(targets[number % targets.len()], &number.to_string()).await;
    }

    let mut heard = String::new();
    let expected: String = (0..50).map(|number| message(&number.to_string())).collect();
    while heard.len() < expected.len() {
        heard.push_str(&ada.recv_text().await);
    }
    assert_eq!(heard, expected);
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_recipient_is_accepted_and_discarded() {
    let fixture = Fixture::new(App::silent());
    for below in [":send", "groups/g/:send", "users/ada/:send", "connections/absent/:send"] {
        // The service accepts the send: the response does not depend on the recipients.
        fixture.send(below, "lost").await;
    }

    let (mut ada, id) = fixture.client_and_id("ada").await;
    fixture.status(Method::PUT, &format!("groups/g/connections/{id}")).await;
    fixture.send("groups/g/:send", "first").await;

    assert_eq!(ada.recv_text().await, message("first"));
}

#[tokio::test(start_paused = true)]
async fn a_message_from_a_method_to_its_caller_arrives_before_the_completion() {
    let cell: Arc<OnceLock<Fixture>> = Arc::default();
    let inner = Arc::clone(&cell);
    let app = App::new(move |call| {
        let inner = Arc::clone(&inner);
        async move {
            if call.event != "work" {
                return answer(200, "");
            }
            for step in ["1", "2", "3"] {
                inner.get().unwrap().send("users/ada/:send", step).await;
            }
            call.completion(&json!("done"))
        }
    });
    let fixture = Fixture::new(app);
    cell.set(fixture.clone()).ok().unwrap();
    let mut ada = fixture.client("ada").await;

    ada.call_with_id("7", "work").await;

    let answer = "{\"invocationId\":\"7\",\"result\":\"done\",\"type\":3}\x1e";
    let expected = [message("1"), message("2"), message("3"), answer.to_owned()].concat();
    let mut heard = String::new();
    while heard.len() < expected.len() {
        heard.push_str(&ada.recv_text().await);
    }
    assert_eq!(heard, expected);
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_without_resume_is_a_new_connection_and_misses_messages() {
    let fixture = Fixture::new(App::silent());
    let (ada, first) = fixture.client_and_id("ada").await;
    fixture.status(Method::PUT, &format!("groups/g/connections/{first}")).await;
    drop(ada);
    fixture.app.called("disconnected").await;
    fixture.send(":send", "missed").await;

    let (mut ada, second) = fixture.client_and_id("ada").await;

    assert_ne!(first, second);
    fixture.send("groups/g/:send", "not a member any more").await;
    fixture.send(&format!("connections/{first}/:send"), "to the old one").await;
    fixture.send(":send", "next").await;
    assert_eq!(ada.recv_text().await, message("next"));
    assert_eq!(fixture.app.events(), ["connected", "disconnected", "connected"]);
}
