//! The AsyncAPI document of an app, checked by an independent implementation of the specification.

use std::fs;

use hub_runtime::{HubApp, prelude::*};
use roas_asyncapi::{v3_1::Document, validation::Validate};
use serde_json::{Value, json};

use crate::{contract::app, support::builder_at};

fn document(app: &HubApp) -> Value {
    serde_json::from_str(&app.asyncapi().to_json().unwrap()).unwrap()
}

/// What the validator reports about a document.
fn problems(document: &Value) -> String {
    match serde_json::from_value::<Document>(document.clone()) {
        Ok(read) => {
            read.validate(Default::default()).err().map_or(String::new(), |e| e.to_string())
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_validator_accepts_the_document_and_finds_planted_faults() {
    let document = document(&app());

    assert_eq!(problems(&document), "");
    for (pointer, wrong) in [
        ("/operations/Chat.say/channel/$ref", json!("#/channels/Chats")),
        ("/operations/Chat.say/messages/0/$ref", json!("#/channels/a.rooms/messages/keep")),
        ("/operations/Chat.say/reply/messages/0/$ref", json!("#/channels/Chat/messages/none")),
        ("/operations/Chat.say/action", json!("publish")),
        ("/channels/Chat/messages/say/payload/type", json!("list")),
        ("/channels/Chat/address", json!("/{hub}")),
    ] {
        let mut faulty = document.clone();
        *faulty.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}: {document:#}")) = wrong;
        assert_ne!(problems(&faulty), "", "{pointer}");
    }
}

#[test]
fn the_app_receives_calls_of_the_hub_and_sends_calls_of_the_clients() {
    let document = document(&app());

    let call = &document["operations"]["Chat.say"];
    assert_eq!(call["action"], "receive");
    assert_eq!(call["description"], "Writes a line.\n\nReturns how many read it.");
    assert_eq!(call["x-signalr"], json!({ "category": "messages", "target": "say" }));
    assert_eq!(call["reply"]["messages"][0]["$ref"], "#/channels/Chat/messages/say.result");
    let sent = &document["operations"]["Chat.client.ask"];
    assert_eq!(
        (&sent["action"], &sent["x-signalr"]),
        (&json!("send"), &json!({ "target": "ask" }))
    );
    assert!(sent["reply"].is_object());
    assert!(document["operations"]["Chat.quiet"]["reply"].is_null());
    assert!(document["operations"]["Chat.client.newMessage"]["reply"].is_null());
    let channel = &document["channels"]["Chat"];
    assert_eq!(channel["address"], "/chat");
    assert_eq!(
        channel["x-signalr"],
        json!({ "hub": "Chat", "route": "/chat/negotiate", "protocols": ["json", "messagepack"], "events": ["connected"], "fallback": false })
    );
    let rooms = &document["channels"]["a.rooms"]["x-signalr"];
    assert_eq!((&rooms["route"], &rooms["fallback"]), (&Value::Null, &json!(true)));
}

#[test]
fn arguments_are_a_list_with_names_and_schemas_of_draft_07() {
    let text = app().asyncapi().to_json().unwrap();
    let document = document(&app());

    let payload = &document["channels"]["Chat"]["messages"]["say"]["payload"];
    assert_eq!((&payload["minItems"], &payload["maxItems"]), (&json!(2), &json!(3)));
    assert_eq!(payload["items"][0], json!({ "title": "room", "type": "string" }));
    let line = json!({ "title": "message", "allOf": [{ "$ref": "#/components/schemas/NewMessage.received" }] });
    assert_eq!(payload["items"][1], line);
    assert!(document["components"]["schemas"]["NewMessage.sent"].is_object());
    let opaque = &document["channels"]["Chat"]["messages"]["quiet"]["payload"]["items"][0];
    assert_eq!(opaque, &json!({ "title": "opaque" }));
    for other_draft in ["prefixItems", "$defs", "#/schemas/", "unevaluatedProperties"] {
        assert!(!text.contains(other_draft), "{other_draft}");
    }
}

#[test]
fn the_same_app_always_has_the_same_document_and_a_current_file_is_not_written() {
    let folder = std::env::temp_dir().join(format!("asyncapi-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("asyncapi.json");

    assert!(app().write_asyncapi(&path).unwrap());
    assert!(!app().write_asyncapi(&path).unwrap());
    assert_eq!(app().asyncapi().diff(&path).unwrap(), None);
    let current = fs::read_to_string(&path).unwrap();
    fs::write(&path, current.replace("\"say\"", "\"said\"")).unwrap();
    let diff = app().asyncapi().diff(&path).unwrap().unwrap();
    let changed = |mark| diff.lines().filter(|line| line.starts_with(mark)).collect::<Vec<_>>();
    assert_eq!(changed('-').len(), changed('+').len(), "{diff}");
    assert!(changed('-').iter().any(|line| line.contains("\"target\": \"said\"")), "{diff}");
    assert!(changed('+').iter().any(|line| line.contains("\"target\": \"say\"")), "{diff}");
    assert_eq!(app().asyncapi().to_json().unwrap(), current);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_file_that_cannot_be_written_is_reported_in_one_line() {
    let folder = std::env::temp_dir();
    let missing = folder.join("no-such-folder").join("asyncapi.json");

    let is_folder = app().write_asyncapi(&folder).unwrap_err().to_string();
    let not_written = app().write_asyncapi(&missing).unwrap_err().to_string();

    assert_eq!(is_folder, format!("`{}` is a folder: name a file in it", folder.display()));
    assert!(
        not_written.starts_with(&format!("cannot write `{}`: ", missing.display())),
        "{not_written}"
    );
}

struct One;

#[serverless_hub(name = "a,b")]
impl One {}

struct Two;

#[serverless_hub(name = "a_b")]
impl Two {}

#[test]
fn hubs_whose_names_have_the_same_key_are_refused() {
    let app = builder_at("http://127.0.0.1:1", One).hub(Two).build().unwrap();

    let error = app.asyncapi().to_json().unwrap_err().to_string();

    assert!(
        error.starts_with("the hubs `a,b` and `a_b` both have the name `a_b` in AsyncAPI"),
        "{error}"
    );
}

#[test]
fn types_without_a_schema_are_named() {
    let names = app().asyncapi().types_without_schema().join(" ");

    assert!(names.contains("Opaque"), "{names}");
}
