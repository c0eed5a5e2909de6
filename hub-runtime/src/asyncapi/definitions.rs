//! The schemas of the contract in one map. A type that the app reads and writes has one schema in it if both are the same.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::sorted;
use serde_json::Value;

use super::keys::Keys;
use crate::generated::contract::Schemas;

const RECEIVED: &str = "#/schemas/received/";
const SENT: &str = "#/schemas/sent/";

/// The schemas of the document, and the references to them.
pub(super) struct Definitions {
    pub(super) schemas: BTreeMap<String, Value>,
    /// The new references by those of the contract.
    references: BTreeMap<String, String>,
}

impl Definitions {
    pub(super) fn of(Schemas { received, sent }: Schemas) -> Self {
        let different = different(&received, &sent);
        let mut keys = Keys::default();
        let (mut named, mut references) = (Vec::new(), BTreeMap::new());
        let names: BTreeSet<_> = received.keys().chain(sent.keys()).collect();
        for name in names {
            let mut add = |key: String, schema: &Value, paths: &[&str]| {
                for path in paths {
                    let reference = format!("{path}{}", encoded(name));
                    references.insert(reference, format!("#/components/schemas/{key}"));
                }
                named.push((key, schema.clone()));
            };
            match (received.get(name), sent.get(name)) {
                (Some(read), Some(written)) if different.contains(name) => {
                    add(keys.of(&format!("{name}.received")), read, &[RECEIVED]);
                    add(keys.of(&format!("{name}.sent")), written, &[SENT]);
                }
                (Some(schema), _) | (None, Some(schema)) => {
                    add(keys.of(name), schema, &[RECEIVED, SENT]);
                }
                (None, None) => {}
            }
        }
        let mut definitions = Self { schemas: BTreeMap::new(), references };
        for (key, mut schema) in named {
            definitions.refer(&mut schema);
            definitions.schemas.insert(key, sorted(any(schema)));
        }
        definitions
    }

    /// Replaces the references in a schema.
    pub(super) fn refer(&self, schema: &mut Value) {
        references(schema, &mut |reference| {
            if let Some(new) = self.references.get(reference) {
                reference.clone_from(new);
            }
        });
    }
}

/// `{}` for the schema `true`, so that the schema is an object.
pub(super) fn any(schema: Value) -> Value {
    match schema {
        Value::Bool(true) => Value::Object(serde_json::Map::new()),
        other => other,
    }
}

/// The names whose schemas differ, or refer to such a schema.
fn different(
    received: &BTreeMap<String, Value>,
    sent: &BTreeMap<String, Value>,
) -> BTreeSet<String> {
    let plain = |schema: &Value| {
        let (mut schema, mut targets) = (schema.clone(), BTreeSet::new());
        references(&mut schema, &mut |reference| {
            let name = reference.strip_prefix(RECEIVED).or_else(|| reference.strip_prefix(SENT));
            if let Some(name) = name.map(str::to_owned) {
                targets.insert(name.clone());
                *reference = name;
            }
        });
        (schema, targets)
    };
    let (mut different, mut same) = (BTreeSet::new(), Vec::new());
    for (name, read) in received {
        let Some(written) = sent.get(name) else { continue };
        let (read, targets) = plain(read);
        match read == plain(written).0 {
            true => same.push((name, targets)),
            false => drop(different.insert(name.clone())),
        }
    }
    loop {
        let encoded: BTreeSet<_> = different.iter().map(|name| encoded(name)).collect();
        let (further, rest): (Vec<_>, Vec<_>) =
            same.into_iter().partition(|(_, targets)| !targets.is_disjoint(&encoded));
        if further.is_empty() {
            return different;
        }
        different.extend(further.into_iter().map(|(name, _)| name.clone()));
        same = rest;
    }
}

/// Calls `change` for each reference in a schema. For a property with the name `$ref`, the value is no text.
fn references(schema: &mut Value, change: &mut impl FnMut(&mut String)) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(reference) if name == "$ref" => change(reference),
                    value => references(value, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| references(item, change)),
        _ => {}
    }
}

/// The name in a reference, as schemars writes it.
fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'~' => text.push_str("~0"),
            b'/' => text.push_str("~1"),
            b'!' | b'$' | b'&'..=b';' | b'=' | b'?'..=b'Z' | b'_' | b'a'..=b'z' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:2X}")),
        }
    }
    text
}
