//! `--contract`: the methods of the hubs, from a file.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value, json};

use super::Failure;

/// Larger files are refused.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Reads the file: an AsyncAPI document that an app writes with its command `asyncapi`, or a contract as
/// `HubApp::contract` writes it.
pub(super) fn read(path: &Path) -> Result<Value, Failure> {
    let file = path.display();
    let problem = |text: &str| Failure::Failed(format!("--contract: {file} {text}"));
    let size = fs::metadata(path).map_err(|error| problem(&format!("cannot be read: {error}")))?;
    if size.len() > MAX_BYTES {
        return Err(problem("has more than 16 MiB"));
    }
    let text = fs::read(path).map_err(|error| problem(&format!("cannot be read: {error}")))?;
    let value: Value =
        serde_json::from_slice(&text).map_err(|error| problem(&format!("is no JSON: {error}")))?;
    contract(&value).map_err(|text| problem(&text))
}

fn contract(value: &Value) -> Result<Value, String> {
    if value.get("asyncapi").is_some() {
        return from_asyncapi(value);
    }
    let version = value.get("version").and_then(Value::as_u64);
    match (version, value.get("hubs")) {
        (Some(1), Some(Value::Array(hubs)))
            if hubs.iter().all(|hub| hub.get("name").is_some_and(Value::is_string)) =>
        {
            Ok(value.clone())
        }
        (Some(version), Some(_)) if version != 1 => {
            Err(format!("has version {version}; this hub-local reads contracts of version 1"))
        }
        _ => Err("is neither an AsyncAPI document (`my-app asyncapi FILE`) nor a contract with `version` and `hubs`".to_owned()),
    }
}

/// The contract in an AsyncAPI document of this project. Channels are hubs; operations with the action `receive` are
/// methods of a hub, the others are methods of its clients.
fn from_asyncapi(document: &Value) -> Result<Value, String> {
    let channels = document.get("channels").and_then(Value::as_object);
    let channels = channels.ok_or("is an AsyncAPI document without `channels`")?;
    let mut hubs = BTreeMap::new();
    for (key, channel) in channels {
        let Some(name) = channel.pointer("/x-signalr/hub").and_then(Value::as_str) else {
            return Err(format!(
                "is an AsyncAPI document whose channel `{key}` has no `x-signalr`: it must be one that the command `asyncapi` of an app has written"
            ));
        };
        let extension = |name: &str| channel.pointer(&format!("/x-signalr/{name}"));
        let has_event = |name: &str| {
            let events = extension("events").and_then(Value::as_array);
            events.is_some_and(|events| events.iter().any(|event| event == name))
        };
        let hub = json!({
            "name": name,
            "docs": channel.get("description").cloned().unwrap_or_else(|| "".into()),
            "negotiate": extension("route").is_some(),
            "connected": has_event("connected"),
            "disconnected": has_event("disconnected"),
            "fallback": extension("fallback").cloned().unwrap_or_else(|| false.into()),
            "methods": [],
            "client": [],
        });
        hubs.insert(format!("#/channels/{key}"), hub);
    }
    for operation in document.get("operations").and_then(Value::as_object).into_iter().flatten() {
        add(document, &mut hubs, operation.1);
    }
    let schemas = document.pointer("/components/schemas").cloned().unwrap_or_else(|| json!({}));
    let mut contract = json!({
        "version": 1,
        "hubs": hubs.into_values().collect::<Vec<_>>(),
        "schemas": { "received": schemas, "sent": {} },
    });
    refer(&mut contract);
    Ok(contract)
}

fn add(document: &Value, hubs: &mut BTreeMap<String, Value>, operation: &Value) {
    let text = |path: &str| operation.pointer(path).and_then(Value::as_str);
    let Some(hub) = text("/channel/$ref").and_then(|channel| hubs.get_mut(channel)) else { return };
    let Some(name) = text("/x-signalr/target") else { return };
    let payload = |path: &str| {
        let message = text(path)?.strip_prefix('#')?;
        document.pointer(message)?.get("payload")
    };
    let mut call = json!({
        "name": name,
        "docs": text("/description").unwrap_or_default(),
        "arguments": payload("/messages/0/$ref").map(arguments).unwrap_or_default(),
    });
    if let Some(result) = payload("/reply/messages/0/$ref") {
        call["result"] = result.clone();
    }
    let list = if text("/action") == Some("receive") { "methods" } else { "client" };
    if let Some(Value::Array(calls)) = hub.get_mut(list) {
        calls.push(call);
    }
}

/// The arguments of a method from the schema of its argument list.
fn arguments(payload: &Value) -> Vec<Value> {
    match payload.get("items") {
        Some(Value::Array(items)) => {
            let needed = payload.get("minItems").and_then(Value::as_u64).unwrap_or_default();
            let argument = |(number, schema): (u64, &Value)| argument(schema, number >= needed);
            (0..).zip(items).map(argument).collect()
        }
        None if payload.get("maxItems") == Some(&json!(0)) => Vec::new(),
        // One parameter that takes all arguments.
        _ => vec![json!({ "name": "arguments", "schema": payload, "rest": true })],
    }
}

fn argument(schema: &Value, optional: bool) -> Value {
    let mut schema = schema.clone();
    let name = schema.get("title").and_then(Value::as_str).unwrap_or("argument").to_owned();
    if let Some(members) = schema.as_object_mut() {
        members.remove("title");
        if members.len() == 1
            && let Some(Value::Array(all)) = members.get("allOf")
            && let [only] = &all[..]
        {
            schema = only.clone();
        }
    }
    let mut argument = Map::new();
    argument.insert("name".to_owned(), name.into());
    argument.insert("schema".to_owned(), schema);
    if optional {
        argument.insert("optional".to_owned(), true.into());
    }
    Value::Object(argument)
}

/// Changes references to the schemas of the document into those of a contract.
fn refer(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/components/schemas/")
            {
                *reference = format!("#/schemas/received/{name}");
            }
            members.values_mut().for_each(refer);
        }
        Value::Array(items) => items.iter_mut().for_each(refer),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({
            "asyncapi": "3.1.0",
            "channels": { "Chat": {
                "address": "/chat", "title": "Chat", "description": "Rooms.",
                "messages": {
                    "join": { "name": "join", "payload": {
                        "type": "array", "minItems": 1, "maxItems": 2, "items": [
                            { "title": "room", "type": "string" },
                            { "title": "mood", "allOf": [{ "$ref": "#/components/schemas/Mood" }] },
                        ] } },
                    "join.result": { "name": "join.result", "payload": { "type": "string" } },
                    "client.said": { "name": "client.said", "payload": { "type": "array", "maxItems": 0 } },
                },
                "x-signalr": { "hub": "Chat", "route": "/chat/negotiate", "events": ["connected"], "fallback": false },
            } },
            "operations": {
                "Chat.join": {
                    "action": "receive", "channel": { "$ref": "#/channels/Chat" }, "description": "Joins.",
                    "messages": [{ "$ref": "#/channels/Chat/messages/join" }],
                    "reply": { "messages": [{ "$ref": "#/channels/Chat/messages/join.result" }] },
                    "x-signalr": { "category": "messages", "target": "join" },
                },
                "Chat.client.said": {
                    "action": "send", "channel": { "$ref": "#/channels/Chat" },
                    "messages": [{ "$ref": "#/channels/Chat/messages/client.said" }],
                    "x-signalr": { "target": "said" },
                },
            },
            "components": { "schemas": { "Mood": { "enum": ["good"] } } },
        })
    }

    #[test]
    fn a_document_of_asyncapi_becomes_a_contract() {
        let contract = contract(&document()).unwrap();

        let hub = &contract["hubs"][0];
        assert_eq!((&hub["name"], &hub["negotiate"]), (&json!("Chat"), &json!(true)));
        assert_eq!(
            hub["methods"],
            json!([{
                "name": "join", "docs": "Joins.", "result": { "type": "string" },
                "arguments": [
                    { "name": "room", "schema": { "type": "string" } },
                    { "name": "mood", "schema": { "$ref": "#/schemas/received/Mood" }, "optional": true },
                ],
            }])
        );
        assert_eq!(hub["client"], json!([{ "name": "said", "docs": "", "arguments": [] }]));
        assert_eq!(contract["schemas"]["received"]["Mood"], json!({ "enum": ["good"] }));
    }

    #[test]
    fn a_contract_is_taken_as_it_is_and_other_files_are_refused() {
        let own = json!({ "version": 1, "hubs": [{ "name": "Chat", "methods": [] }] });
        assert_eq!(contract(&own).unwrap(), own);

        for (other, text) in [
            (json!({ "version": 2, "hubs": [] }), "has version 2"),
            (json!({ "hubs": [] }), "is neither"),
            (json!([]), "is neither"),
            (json!({ "version": 1, "hubs": [{}] }), "is neither"),
            (json!({ "asyncapi": "3.0.0" }), "without `channels`"),
            (json!({ "asyncapi": "3.0.0", "channels": { "a": {} } }), "has no `x-signalr`"),
        ] {
            let error = contract(&other).unwrap_err();
            assert!(error.contains(text), "{other}: {error}");
        }
    }
}
