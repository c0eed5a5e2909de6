//! Tests of the hub, in memory.

use hub_runtime::testing::TestHub;
use serde_json::json;

use crate::hub::Talk;

#[tokio::test]
async fn a_reaction_is_shown_in_its_talk_only() {
    let hub = TestHub::new(Talk);
    let ada = hub.anonymous().connect().await.unwrap();
    let bob = hub.anonymous().connect().await.unwrap();
    ada.call().join("rust").await.unwrap();
    bob.call().join("go").await.unwrap();

    ada.call().react("rust", "👏").await.unwrap();

    assert_eq!(ada.received("reacted").await, [json!(["👏"])]);
    assert!(bob.received("reacted").await.is_empty());
}

#[tokio::test]
async fn only_known_reactions_are_shown() {
    let hub = TestHub::new(Talk);
    let ada = hub.anonymous().connect().await.unwrap();

    let error = ada.call().react("rust", "<script>").await.unwrap_err();

    assert_eq!(error, "There is no such reaction");
}
