//! Tests of the hub, in memory, and of the copy of the hub in the README.

use hub_runtime::testing::TestHub;
use serde_json::json;

use crate::hub::Counter;

#[tokio::test]
async fn every_client_sees_each_addition() {
    let hub = TestHub::new(Counter::default());
    let ada = hub.anonymous().connect().await.unwrap();
    let bob = hub.anonymous().connect().await.unwrap();

    ada.call().add(2).await.unwrap();
    bob.call().add(-5).await.unwrap();

    let seen = [json!([0]), json!([2]), json!([-3])];
    assert_eq!(ada.received("changed").await, seen);
    assert_eq!(bob.received("changed").await, seen);
}

#[tokio::test]
async fn a_new_client_gets_the_current_value() {
    let hub = TestHub::new(Counter::default());
    let ada = hub.anonymous().connect().await.unwrap();
    ada.call().add(7).await.unwrap();

    let late = hub.anonymous().connect().await.unwrap();

    assert_eq!(late.received("changed").await, [json!([7])]);
}

#[tokio::test]
async fn every_client_receives_the_values_in_order() {
    let hub = TestHub::new(Counter::default());
    let ada = hub.anonymous().connect().await.unwrap();
    let bob = hub.anonymous().connect().await.unwrap();

    for _ in 0..50 {
        ada.call().add(1).send().await.unwrap();
        bob.call().add(1).send().await.unwrap();
    }
    while ada.received("changed").await.len() < 101 {
        tokio::task::yield_now().await;
    }

    let counted: Vec<_> = (0..=100).map(|value| json!([value])).collect();
    assert_eq!(ada.received("changed").await, counted);
}

#[test]
fn the_readme_contains_the_whole_hub_of_at_most_25_lines() {
    let hub = include_str!("hub.rs");
    let readme = include_str!("../README.md");

    let shown = readme.split_once("```rust\n").and_then(|(_, rest)| rest.split_once("```\n"));

    assert_eq!(shown.map(|(code, _)| code), Some(hub));
    assert!(hub.lines().count() <= 25, "{} lines", hub.lines().count());
}

#[tokio::test]
async fn the_file_of_the_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/page/counter-hub.js");
    let diff = TestHub::new(Counter::default()).app().typescript().javascript().diff(path).unwrap();

    assert_eq!(
        diff, None,
        "run: cargo run -p counter -- typescript examples/counter/page/counter-hub.js --js"
    );
}
