//! The document: one channel for each hub, and one operation for each method of a hub or of its clients.

use std::collections::BTreeMap;

use hub_core::sorted;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    definitions::{Definitions, any},
    keys::{Keys, key},
};
use crate::{
    generated::contract::{Argument, Call, Contract, Hub},
    wire_name::wire_name,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    asyncapi: &'static str,
    info: Info,
    default_content_type: &'static str,
    channels: BTreeMap<String, Channel>,
    operations: BTreeMap<String, Operation>,
    components: Components,
}

#[derive(Serialize)]
struct Info {
    title: String,
    version: String,
}

#[derive(Serialize)]
struct Components {
    schemas: BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct Channel {
    address: String,
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    messages: BTreeMap<String, Message>,
    #[serde(rename = "x-signalr")]
    signalr: ChannelExtension,
}

/// What AsyncAPI has no field for, because it has no binding for SignalR.
#[derive(Serialize)]
struct ChannelExtension {
    hub: String,
    /// The path of negotiate requests. Without it, clients cannot negotiate with the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    protocols: &'static [&'static str],
    /// The connection events that the hub handles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<&'static str>,
    /// Whether the hub also handles calls of methods that are not in the document.
    fallback: bool,
}

#[derive(Serialize)]
struct Message {
    name: String,
    payload: Value,
}

#[derive(Serialize)]
struct Operation {
    action: Action,
    channel: Reference,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    messages: [Reference; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
    #[serde(rename = "x-signalr")]
    signalr: OperationExtension,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Receive,
    Send,
}

#[derive(Serialize)]
struct OperationExtension {
    /// The category of the upstream call. Only for calls of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'static str>,
    /// The name of the method, as clients write it.
    target: String,
}

#[derive(Serialize)]
struct Reply {
    channel: Reference,
    messages: [Reference; 1],
}

#[derive(Serialize)]
struct Reference {
    #[serde(rename = "$ref")]
    to: String,
}

impl Reference {
    fn channel(channel: &str) -> Self {
        Self { to: format!("#/channels/{channel}") }
    }

    fn message(channel: &str, message: &str) -> Self {
        Self { to: format!("#/channels/{channel}/messages/{message}") }
    }
}

const PROTOCOLS: &[&str] = &[
    "json",
    #[cfg(feature = "msgpack")]
    "messagepack",
];

impl Document {
    /// # Errors
    /// The names of two hubs that have the same key.
    pub(super) fn of(
        Contract { hubs, schemas }: Contract,
        title: Option<String>,
        version: String,
    ) -> Result<Self, String> {
        let title = title
            .unwrap_or_else(|| hubs.iter().map(|hub| &*hub.name).collect::<Vec<_>>().join(", "));
        let definitions = Definitions::of(schemas);
        let (mut channels, mut operations) = (BTreeMap::<_, Channel>::new(), BTreeMap::new());
        let mut ids = Keys::default();
        for hub in hubs {
            let id = key(&hub.name);
            if let Some(other) = channels.get(&id) {
                return Err(format!(
                    "the hubs `{}` and `{}` both have the name `{id}` in AsyncAPI: set another one, `#[serverless_hub(name = \"…\")]`",
                    other.signalr.hub, hub.name
                ));
            }
            let mut writer = Writer {
                definitions: &definitions,
                operations: &mut operations,
                ids: &mut ids,
                messages: BTreeMap::new(),
                keys: Keys::default(),
                channel: id.clone(),
            };
            let channel = writer.hub(hub);
            channels.insert(id, channel);
        }
        Ok(Self {
            asyncapi: "3.1.0",
            info: Info { title, version },
            default_content_type: "application/json",
            channels,
            operations,
            components: Components { schemas: definitions.schemas },
        })
    }
}

/// Writes one hub.
struct Writer<'a> {
    definitions: &'a Definitions,
    operations: &'a mut BTreeMap<String, Operation>,
    /// The ids of operations.
    ids: &'a mut Keys,
    messages: BTreeMap<String, Message>,
    /// The keys of messages.
    keys: Keys,
    channel: String,
}

impl Writer<'_> {
    fn hub(&mut self, hub: Hub) -> Channel {
        // The document describes the app, so the actions are those of the app: it receives the calls of the hub's
        // methods, and it sends the calls of the clients' methods.
        for call in hub.methods {
            self.call(Action::Receive, call);
        }
        for call in hub.client {
            self.call(Action::Send, call);
        }
        let address = format!("/{}", wire_name(&hub.name));
        let events = [("connected", hub.connected), ("disconnected", hub.disconnected)];
        Channel {
            title: hub.name.clone(),
            description: hub.docs,
            messages: std::mem::take(&mut self.messages),
            signalr: ChannelExtension {
                route: hub.negotiate.then(|| format!("{address}/negotiate")),
                hub: hub.name,
                protocols: PROTOCOLS,
                events: events.into_iter().filter_map(|(name, has)| has.then_some(name)).collect(),
                fallback: hub.fallback,
            },
            address,
        }
    }

    fn call(&mut self, action: Action, call: Call) {
        let Call { name, docs, arguments, result } = call;
        // A hub and its clients may have methods with the same name.
        let prefixed = match action {
            Action::Receive => name.clone(),
            Action::Send => format!("client.{name}"),
        };
        let payload = self.arguments(arguments);
        let message = self.message(prefixed.clone(), payload);
        let reply = result.map(|mut schema| {
            self.definitions.refer(&mut schema);
            let result = self.message(format!("{prefixed}.result"), any(schema));
            Reply { channel: Reference::channel(&self.channel), messages: [result] }
        });
        let operation = Operation {
            action,
            channel: Reference::channel(&self.channel),
            description: docs,
            messages: [message],
            reply,
            signalr: OperationExtension {
                category: (action == Action::Receive).then_some("messages"),
                target: name,
            },
        };
        let id = self.ids.of(&format!("{}.{prefixed}", self.channel));
        self.operations.insert(id, operation);
    }

    fn message(&mut self, name: String, payload: Value) -> Reference {
        let key = self.keys.of(&name);
        let reference = Reference::message(&self.channel, &key);
        self.messages.insert(key, Message { name, payload: sorted(payload) });
        reference
    }

    /// The schema of the argument list.
    fn arguments(&self, arguments: Vec<Argument>) -> Value {
        let needed = arguments.iter().rposition(|it| !it.optional).map_or(0, |last| last + 1);
        let count = arguments.len();
        let mut items = Vec::with_capacity(count);
        for Argument { name, mut schema, rest, .. } in arguments {
            self.definitions.refer(&mut schema);
            if rest {
                // The schema `true` allows any value, but the arguments are always a list.
                return if schema == Value::Bool(true) {
                    json!({ "type": "array" })
                } else {
                    schema
                };
            }
            items.push(titled(name, schema));
        }
        match items.is_empty() {
            true => json!({ "type": "array", "maxItems": 0 }),
            false => {
                json!({ "type": "array", "items": items, "minItems": needed, "maxItems": count })
            }
        }
    }
}

/// The schema with the name of the argument as its title. In draft-07, `$ref` has no effective siblings.
fn titled(name: String, schema: Value) -> Value {
    let mut titled = Map::from_iter([("title".to_owned(), Value::String(name))]);
    match any(schema) {
        Value::Object(members)
            if !members.contains_key("$ref") && !members.contains_key("title") =>
        {
            titled.extend(members);
        }
        other => drop(titled.insert("allOf".to_owned(), Value::Array(vec![other]))),
    }
    Value::Object(titled)
}
