//! Tests of the hub, in memory.

use hub_runtime::{
    clients::Target,
    testing::{Request, TestHub},
};
use serde_json::json;

use crate::{hub::Chat, rooms::Rooms, sessions::Sessions};

fn sessions() -> Sessions {
    Sessions::new(b"a key of these tests")
}

fn app() -> Chat {
    let (rooms, people) = (Rooms::default(), Default::default());
    Chat { rooms, people, sessions: sessions() }
}

fn chat() -> TestHub<Chat> {
    TestHub::new(app())
}

#[tokio::test]
async fn a_recorded_evening_has_the_same_answers_again() {
    let file = std::env::temp_dir().join(format!("chat-{}.jsonl", std::process::id()));
    let hub = TestHub::configured(app(), |app| app.record(&file));
    let ada = hub.user("ada").claim("role", "moderator").connect().await.unwrap();
    ada.on("confirm", |_question: String| true);
    let bob = hub.user("bob").connect().await.unwrap();
    assert!(ada.call().open_room("rust").await.unwrap());
    bob.call().join("rust").await.unwrap();
    bob.call().send_message("rust", "hi", None).await.unwrap();
    bob.call().open_room("go").await.unwrap_err();
    bob.disconnect().await;

    let again = chat().replay(&file).await.unwrap();
    std::fs::remove_file(&file).unwrap();

    again.assert_same();
    assert!(again.compared() >= 6, "{again}");
}

#[tokio::test]
async fn a_moderator_opens_a_room_and_everyone_joins() {
    let hub = chat();
    let ada = hub.user("ada").claim("role", "moderator").connect().await.unwrap();
    ada.on("confirm", |_question: String| true);
    let bob = hub.user("bob").connect().await.unwrap();

    assert!(ada.call().open_room("rust").await.unwrap());
    assert_eq!(bob.call().join("Rust").await.unwrap(), "rust");
    assert_eq!(bob.call().send_message("RUST", "hi", None).await.unwrap(), 2);

    let expected = json!([{ "room": "rust", "from": "bob", "text": "hi" }]);
    assert_eq!(bob.received("newMessage").await, [expected]);
    assert!(ada.received("newMessage").await.is_empty());
    assert_eq!(hub.sent().last().unwrap().target, Target::Group("rust".into()));
}

#[tokio::test]
async fn refusals_have_texts_for_the_client() {
    let hub = chat();
    let bob = hub.user("bob").connect().await.unwrap();

    let denied = bob.call().open_room("x").await.unwrap_err();
    let unknown = bob.call().join("x").await.unwrap_err();
    let missing = bob.invoke::<usize>("sendMessage", ("x",)).await.unwrap_err();

    assert_eq!(denied, "403 Forbidden: this needs role `moderator`");
    assert_eq!(unknown, "There is no room called x.");
    assert_eq!(missing, "argument 2 (`text`) is missing");
}

#[tokio::test]
async fn presence_lists_online_users_and_reports_changes() {
    let hub = chat();
    let ada = hub.user("ada").connect().await.unwrap();

    let tab_1 = hub.user("bob").connect().await.unwrap();
    let tab_2 = hub.user("bob").connect().await.unwrap();
    assert_eq!(tab_2.received("presence").await, [json!(["ada", true]), json!(["bob", true])]);
    tab_1.disconnect().await;
    assert_eq!(ada.received("presence").await, [json!(["ada", true]), json!(["bob", true])]);
    tab_2.disconnect().await;

    assert_eq!(ada.received("presence").await.last(), Some(&json!(["bob", false])));
}

#[tokio::test]
async fn a_declined_confirmation_opens_no_room() {
    let hub = chat();
    let ada = hub.user("ada").claim("role", "moderator").connect().await.unwrap();
    ada.on("confirm", |_question: String| false);

    assert!(!ada.call().open_room("rust").await.unwrap());

    assert!(ada.call().join("rust").await.is_err());
}

#[tokio::test]
async fn an_opened_room_is_reported_to_all_and_listed_for_later_clients() {
    let hub = chat();
    let ada = hub.user("ada").claim("role", "moderator").connect().await.unwrap();
    ada.on("confirm", |_question: String| true);
    let bob = hub.user("bob").connect().await.unwrap();

    ada.call().open_room("rust").await.unwrap();
    let late = hub.user("eve").connect().await.unwrap();

    assert_eq!(bob.received("roomOpened").await, [json!(["rust"])]);
    assert_eq!(late.call().rooms().await.unwrap(), ["lobby", "rust"]);
}

#[tokio::test]
async fn an_open_room_and_an_invalid_name_are_refused_without_a_question() {
    let hub = chat();
    let ada = hub.user("ada").claim("role", "moderator").connect().await.unwrap();

    let open = ada.call().open_room("Lobby").await.unwrap_err();
    let invalid = ada.call().open_room("two words").await.unwrap_err();

    assert_eq!(open, "The room lobby is already open.");
    assert_eq!(invalid, "A room's name has only letters, digits and hyphens.");
    assert!(ada.received("confirm").await.is_empty());
}

/// A negotiate request with this `Authorization` header.
fn with(authorization: &str) -> Request<()> {
    Request::builder().header("authorization", authorization).body(()).unwrap()
}

#[tokio::test]
async fn the_session_token_determines_the_user() {
    let hub = chat();
    let session = sessions().sign_in("bob", "bob-demo").unwrap();
    let bearer = format!("Bearer {}", sessions().token(&session).unwrap());

    let bob = hub.negotiate(with(&bearer)).await.unwrap();
    let forged = hub.negotiate(with("Bearer forged")).await.unwrap_err();

    bob.call().send_message("lobby", "it is me", None).await.unwrap();
    assert_eq!(bob.received("newMessage").await[0][0]["from"], "bob");
    assert!(forged.text().contains("no longer valid"), "{forged}");
}

#[test]
fn the_hub_file_is_short_and_contains_no_method_name_as_a_string() {
    let source = include_str!("hub.rs");

    assert!(source.lines().filter(|line| !line.trim().is_empty()).count() <= 120);
    for name in [
        "Chat",
        "rooms",
        "join",
        "sendMessage",
        "openRoom",
        "newMessage",
        "presence",
        "roomOpened",
        "confirm",
    ] {
        assert!(!source.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[tokio::test]
async fn the_file_of_the_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/page/chat-hub.js");
    let diff = chat().app().typescript().javascript().diff(path).unwrap();

    assert_eq!(
        diff, None,
        "run: cargo run -p chat -- typescript examples/chat/page/chat-hub.js --js"
    );
}
