//! Tests of the hub and the routes, in memory.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use hub_runtime::testing::TestHub;
use serde_json::{Value, json};
use tower_service::Service;

use crate::{hub::Board, notes::Notes, routes};

fn board() -> (TestHub<Board>, Router) {
    let notes = Arc::new(Notes::default());
    let hub = TestHub::new(Board { notes: Arc::clone(&notes) });
    let router = routes::routes(hub.app(), notes);
    (hub, router)
}

async fn ask(
    router: &Router,
    method: Method,
    path: &str,
    body: &'static str,
) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
    let answer = router.clone().call(request).await.unwrap();
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_note_posted_over_http_reaches_every_page() {
    let (hub, router) = board();
    let ada = hub.anonymous().connect().await.unwrap();

    let (status, created) = ask(&router, Method::POST, "/api/notes", " milk ").await;
    let (deleted, _) = ask(&router, Method::DELETE, "/api/notes/1", "").await;

    assert_eq!((status, deleted), (StatusCode::CREATED, StatusCode::NO_CONTENT));
    assert_eq!(created, r#"{"id":1,"text":"milk"}"#);
    assert_eq!(ada.received("added").await, [json!([{ "id": 1, "text": "milk" }])]);
    assert_eq!(ada.received("removed").await, [json!([1])]);
}

#[tokio::test]
async fn a_note_added_through_the_hub_is_listed_over_http() {
    let (hub, router) = board();
    let ada = hub.anonymous().connect().await.unwrap();
    let bob = hub.anonymous().connect().await.unwrap();

    assert_eq!(ada.call().add("bread").await.unwrap(), 1);

    let (_, listed) = ask(&router, Method::GET, "/api/notes", "").await;
    assert_eq!(listed, r#"[{"id":1,"text":"bread"}]"#);
    assert_eq!(bob.received("added").await.len(), 1);
    assert_eq!(
        bob.call().notes().decode::<Value>().await.unwrap(),
        json!([{ "id": 1, "text": "bread" }])
    );
}

#[tokio::test]
async fn hub_and_http_have_the_same_error_texts() {
    let (hub, router) = board();
    let ada = hub.anonymous().connect().await.unwrap();
    let sentence = "A note has between 1 and 280 characters.";

    assert_eq!(ada.call().add(" ").await.unwrap_err(), sentence);
    let refused = ask(&router, Method::POST, "/api/notes", " ").await;
    assert_eq!(refused, (StatusCode::BAD_REQUEST, sentence.to_owned()));
    assert_eq!(ada.call().remove(7).await.unwrap_err(), "There is no note 7.");
    assert_eq!(ask(&router, Method::DELETE, "/api/notes/7", "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_hub_responds_only_under_its_prefix() {
    let (_hub, router) = board();

    let (negotiated, ticket) = ask(&router, Method::POST, "/realtime/board/negotiate", "").await;
    let ticket: Value = serde_json::from_str(&ticket).unwrap();

    assert_eq!(negotiated, StatusCode::OK);
    assert!(ticket["url"].as_str().unwrap().ends_with("/client/?hub=board"));
    assert_eq!(ask(&router, Method::GET, "/realtime/health", "").await.0, StatusCode::OK);
    let (refreshed, why) = ask(&router, Method::POST, "/realtime/board/refresh", "").await;
    assert_eq!(refreshed, StatusCode::NOT_FOUND);
    assert!(why.starts_with(r#"{"error":"refresh_disabled","#), "{why}");
    assert_eq!(ask(&router, Method::POST, "/board/negotiate", "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_file_of_the_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/page/board-hub.js");
    let diff = board().0.app().typescript().javascript().diff(path).unwrap();

    assert_eq!(diff, None, "run: cargo run -p axum-nested");
}
