//! The format of an app's contract, a document for tools in other languages.

use std::{borrow::Cow, collections::BTreeMap};

use hub_runtime::{HubApp, prelude::*};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::builder_at;

/// One line in a room.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct NewMessage {
    /// Who wrote it.
    from: String,
    #[serde(default)]
    mood: Mood,
    replies: Vec<Self>,
}

#[derive(Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
enum Mood {
    #[default]
    Calm,
    Loud {
        volume: u8,
    },
}

/// A type without a schema.
#[derive(Deserialize, Serialize)]
struct Opaque(u8);

#[hub_client]
trait ChatClient {
    /// A line was written.
    async fn new_message(&self, message: &NewMessage, rooms: &[&str]);
    async fn odd<'a>(&self, text: Cow<'a, str>, opaque: &Opaque);
    /// Asks the person.
    #[hub(rename = "ask")]
    async fn confirm(&self, question: &str) -> Option<bool>;
}

struct Chat;

/// Rooms to talk in.
///
/// Any client may enter.
#[serverless_hub(client = ChatClient)]
impl Chat {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn on_connected(&self) {}

    /// Writes a line.
    ///
    /// Returns how many read it.
    async fn say(
        &self,
        _ctx: &Context<Self>,
        room: String,
        message: NewMessage,
        notify: Option<bool>,
    ) -> HubResult<usize> {
        let _ = (message, notify);
        Ok(room.len())
    }

    async fn history(&self, _by_room: BTreeMap<String, Mood>) -> Result<Vec<NewMessage>, HubError> {
        Ok(Vec::new())
    }

    async fn quiet(&self, _opaque: Opaque, #[cfg(not(test))] _never: u8) {}

    async fn opaque(&self) -> HubResult<Opaque> {
        Ok(Opaque(1))
    }

    async fn hidden(&self) -> HubResult<impl Serialize> {
        Ok(1)
    }

    #[cfg(not(test))]
    async fn never(&self) {}

    async fn sum(&self, #[hub(arguments)] numbers: Vec<i32>) -> HubResult<i32> {
        Ok(numbers.into_iter().sum())
    }

    async fn whole(&self, #[hub(body)] _message: BTreeMap<String, serde_json::Value>) {}

    async fn done(&self) -> HubResult {
        Ok(())
    }
}

trait Store: Send + Sync + 'static {
    type Item: serde::de::DeserializeOwned + Serialize + Send;
}

struct Rooms<S>(S);

struct Memory;

impl Store for Memory {
    type Item = NewMessage;
}

#[serverless_hub(name = "a.rooms")]
impl<S: Store> Rooms<S> {
    async fn keep(&self, item: S::Item) -> HubResult<S::Item> {
        Ok(item)
    }

    #[hub(fallback)]
    async fn other(&self) {}

    async fn on_disconnected(&self, _error: Option<String>) {}
}

pub(crate) fn app() -> HubApp {
    let _ = Rooms(Memory).0;
    builder_at("http://127.0.0.1:1", Chat).hub(Rooms(Memory)).build().unwrap()
}

/// To update the expected contract, run the test with `CONTRACT=overwrite` and review the diff.
#[test]
fn the_contract_is_the_documented_one() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/contract.json");
    let contract = format!("{}\n", app().contract());
    if std::env::var("CONTRACT").is_ok_and(|mode| mode == "overwrite") {
        std::fs::write(golden, &contract).unwrap();
    }

    assert_eq!(contract, std::fs::read_to_string(golden).unwrap());
}

#[test]
fn the_same_app_always_has_the_same_contract() {
    let first = app().contract().to_string();

    for _ in 0..10 {
        assert_eq!(app().contract().to_string(), first);
    }
}

#[test]
fn the_contract_is_serialisable_like_any_value() {
    let value = serde_json::to_value(app().contract()).unwrap();

    assert_eq!(value["version"], 1);
    assert_eq!(value["hubs"][0]["name"], "Chat");
}
