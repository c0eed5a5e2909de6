//! Tests of the hub and the worker, in memory and in paused time.

use hub_runtime::testing::{Request, TestClient, TestHub};
use serde_json::{Value, json};

use crate::{
    hub::Progress,
    jobs::Jobs,
    visitor::Visitor,
    worker::{Queue, Worker},
};

fn progress() -> (TestHub<Progress>, Queue) {
    let jobs = Jobs::default();
    let hub = TestHub::new(Progress { jobs: jobs.clone() });
    let (worker, queue) = Worker::new(hub.context(), jobs);
    tokio::spawn(worker.run());
    (hub, queue)
}

/// The progress values that a client received.
async fn steps(client: &TestClient<Progress>) -> Vec<u64> {
    let news = client.received("progress").await;
    news.iter().filter_map(|arguments| arguments[0]["done"].as_u64()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_step_reaches_each_page_of_the_user_and_no_other_user() {
    let (hub, queue) = progress();
    let pages =
        [hub.user("ada").connect().await.unwrap(), hub.user("ada").connect().await.unwrap()];
    let bob = hub.user("bob").connect().await.unwrap();

    queue.begin("ada", "report").unwrap();
    for page in &pages {
        page.next("progress", 39).await.unwrap();
        assert_eq!(steps(page).await, (1..=40).collect::<Vec<_>>());
    }

    assert!(steps(&bob).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reopened_page_gets_the_current_state() {
    let (hub, queue) = progress();
    let page = hub.user("ada").connect().await.unwrap();
    queue.begin("ada", "report").unwrap();
    page.next("progress", 4).await.unwrap();
    page.disconnect().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    let page = hub.user("ada").connect().await.unwrap();
    let state: Value = page.call().jobs().decode().await.unwrap();

    let done = state[0]["done"].as_u64().unwrap();
    assert_eq!(state[0]["name"], "report");
    assert!((12..40).contains(&done), "{done}");
    page.next("progress", (39 - done) as usize).await.unwrap();
    assert_eq!(steps(&page).await, (done + 1..=40).collect::<Vec<_>>());
    assert_eq!(
        page.call().jobs().decode::<Value>().await.unwrap(),
        json!([{ "id": 1, "name": "report", "done": 40, "total": 40 }])
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_continues_without_connected_pages() {
    let (hub, queue) = progress();
    queue.begin("ada", "report").unwrap();

    tokio::time::sleep(std::time::Duration::from_secs(11)).await;

    let page = hub.user("ada").connect().await.unwrap();
    assert_eq!(page.call().jobs().decode::<Value>().await.unwrap()[0]["done"], 40);
}

/// A negotiate request with this cookie.
fn with(cookie: &str) -> Request<()> {
    let pair = cookie.split(';').next().unwrap();
    Request::builder().header("cookie", pair).body(()).unwrap()
}

#[tokio::test]
async fn the_cookie_determines_the_user() {
    let (hub, queue) = progress();
    let visitor = Visitor::new().unwrap();
    let cookie = visitor.cookie();
    queue.begin(&visitor.user_id(), "mine").unwrap();

    let page = hub.negotiate(with(&cookie)).await.unwrap();
    let other = Visitor::new().unwrap().cookie();
    let other = hub.negotiate(with(&other)).await.unwrap();

    assert_eq!(page.call().jobs().decode::<Value>().await.unwrap()[0]["name"], "mine");
    assert_eq!(other.call().jobs().decode::<Value>().await.unwrap(), json!([]));
    assert!(
        hub.negotiate(Request::new(())).await.unwrap_err().text().contains("POST /visit first")
    );
}

#[tokio::test]
async fn the_file_of_the_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/page/progress-hub.js");
    let diff = progress().0.app().typescript().javascript().diff(path).unwrap();

    assert_eq!(
        diff, None,
        "run: cargo run -p progress -- typescript examples/progress/page/progress-hub.js --js"
    );
}
