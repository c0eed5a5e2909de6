//! Tests of the hub, in memory and in paused time.

use hub_runtime::testing::{TestClient, TestHub};
use serde_json::{Value, json};

use crate::{hub::Tokens, model::FakeModel};

async fn reader(hub: &TestHub<Tokens>, room: &str) -> (TestClient<Tokens>, Vec<Value>) {
    let client = hub.anonymous().connect().await.unwrap();
    let said = client.call().join(room).decode().await.unwrap();
    (client, said)
}

/// The tokens that a client received, as `[id, index, text]`.
async fn tokens(client: &TestClient<Tokens>) -> Vec<Value> {
    client.received("token").await
}

fn whole(id: u64, prompt: &str) -> Vec<Value> {
    let tokens = FakeModel.answer(prompt).enumerate();
    tokens.map(|(index, text)| json!([id, index, text])).collect()
}

#[tokio::test(start_paused = true)]
async fn tokens_of_an_answer_reach_only_the_room() {
    let hub = TestHub::new(Tokens::default());
    let (ada, _) = reader(&hub, "lobby").await;
    let (bob, _) = reader(&hub, "lobby").await;
    let (eve, _) = reader(&hub, "garden").await;

    let id = ada.call().ask("lobby", "why?").await.unwrap();
    bob.next("done", 0).await.unwrap();

    for client in [&ada, &bob] {
        let question = json!([{ "id": id, "prompt": "why?", "tokens": [], "done": false }]);
        assert_eq!(client.received("asked").await, [question]);
        assert_eq!(tokens(client).await, whole(id, "why?"));
        assert_eq!(client.received("done").await, [json!([id])]);
    }
    assert!(tokens(&eve).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_late_client_gets_stored_tokens_and_misses_no_later_one() {
    let hub = TestHub::new(Tokens::default());
    let (ada, _) = reader(&hub, "lobby").await;
    let id = ada.call().ask("lobby", "why?").await.unwrap();
    ada.next("token", 9).await.unwrap();

    let (late, said) = reader(&hub, "lobby").await;
    late.next("done", 0).await.unwrap();

    let before = said[0]["tokens"].as_array().unwrap();
    assert!((10..whole(id, "why?").len()).contains(&before.len()), "{}", before.len());
    let mut seen: Vec<_> =
        before.iter().enumerate().map(|(index, text)| json!([id, index, text])).collect();
    seen.extend(
        tokens(&late)
            .await
            .into_iter()
            .filter(|token| token[1].as_u64().is_some_and(|index| index >= before.len() as u64)),
    );
    assert_eq!(seen, whole(id, "why?"));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_answer_ends_and_frees_the_room() {
    let hub = TestHub::new(Tokens::default());
    let (ada, _) = reader(&hub, "lobby").await;
    let (bob, _) = reader(&hub, "lobby").await;
    let id = ada.call().ask("lobby", "why?").await.unwrap();
    ada.next("token", 4).await.unwrap();

    assert!(bob.call().cancel(id).await.unwrap());
    ada.next("done", 0).await.unwrap();

    let seen = tokens(&ada).await.len();
    assert!((5..whole(id, "why?").len()).contains(&seen), "{seen}");
    assert!(!bob.call().cancel(id).await.unwrap());
    let again = ada.call().ask("lobby", "and now?").await.unwrap();
    ada.next("done", 1).await.unwrap();
    assert_eq!(tokens(&ada).await[seen..], whole(again, "and now?"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_continues_after_its_caller_left() {
    let hub = TestHub::new(Tokens::default());
    let (ada, _) = reader(&hub, "lobby").await;
    let (bob, _) = reader(&hub, "lobby").await;
    ada.call().ask("lobby", "why?").await.unwrap();
    ada.disconnect().await;

    bob.next("done", 0).await.unwrap();

    assert_eq!(tokens(&bob).await.len(), FakeModel.answer("why?").count());
}

#[tokio::test(start_paused = true)]
async fn a_busy_room_and_an_invalid_name_have_error_texts() {
    let hub = TestHub::new(Tokens::default());
    let (ada, _) = reader(&hub, "lobby").await;
    ada.call().ask("lobby", "why?").await.unwrap();

    let busy = ada.call().ask("lobby", "how?").await.unwrap_err();
    let name = ada.call().join("two words").decode::<Value>().await.unwrap_err();

    assert!(busy.text().starts_with("The room already has a running answer"), "{busy}");
    assert_eq!(name, "A room's name has 1 to 40 letters, digits or hyphens.");
}

#[tokio::test]
async fn the_file_of_the_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/page/tokens-hub.js");
    let diff = TestHub::new(Tokens::default()).app().typescript().javascript().diff(path).unwrap();

    assert_eq!(
        diff, None,
        "run: cargo run -p tokens -- typescript examples/tokens/page/tokens-hub.js --js"
    );
}
