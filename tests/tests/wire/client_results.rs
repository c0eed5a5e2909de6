//! Client results through the local service: a result, and each error that can replace it.

use std::{sync::Arc, time::Duration};

use hub_runtime::{prelude::*, testing::TestHub};
use tokio::sync::Notify;

#[hub_client]
trait LoopClient {
    async fn sum(&self, left: u8, right: u8) -> u8;
}

struct Loop;

#[serverless_hub(client = LoopClient)]
impl Loop {}

#[tokio::test]
async fn a_client_answers_a_question_from_outside_a_call() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    ada.on("sum", |(left, right): (u8, u8)| left + right);

    let answer = hub.context().clients().client(ada.connection_id()).sum(1, 2).await;

    assert_eq!(answer.unwrap(), 3);
}

#[tokio::test]
async fn unknown_and_ended_connections_are_gone() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    let id = ada.connection_id().to_owned();
    ada.disconnect().await;

    for id in [id.as_str(), "never-there"] {
        let error = hub.context().clients().client(id).sum(1, 2).await.unwrap_err();

        assert!(matches!(error, InvokeError::ConnectionGone), "{id}: {error:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_an_invocation_fails_it_immediately() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    let asked = Arc::new(Notify::new());
    let heard = Arc::clone(&asked);
    ada.ignores("sum");
    ada.on("sum", move |_: (u8, u8)| heard.notify_one());
    let client = hub.context().clients().client(ada.connection_id());
    let asking = tokio::spawn(async move { client.sum(1, 2).await });
    asked.notified().await;

    drop(ada);

    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, InvokeError::ConnectionGone), "{error:?}");
}

#[tokio::test]
async fn a_missing_handler_and_a_wrong_result_type_are_different_errors() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    let client = hub.context().clients().client(ada.connection_id());

    let none = client.sum(1, 2).await.unwrap_err();
    ada.on("sum", |_: (u8, u8)| "three");
    let other = client.sum(1, 2).await.unwrap_err();

    assert!(
        matches!(&none, InvokeError::Client(text) if text.contains("didn't provide a result")),
        "{none:?}"
    );
    assert!(matches!(other, InvokeError::Decode(_)), "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_result_waits_for_its_timeout_or_thirty_seconds() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    ada.ignores("sum");
    let client = hub.context().clients().client(ada.connection_id());

    for (asked, seconds) in
        [(client.sum(1, 2).timeout(Duration::from_secs(3)), 3), (client.sum(1, 2), 30)]
    {
        let begun = tokio::time::Instant::now();

        let error = asked.await.unwrap_err();

        let waited = Duration::from_secs(seconds);
        assert!(matches!(error, InvokeError::TimedOut(time) if time == waited), "{error:?}");
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}
