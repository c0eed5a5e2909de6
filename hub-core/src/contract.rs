//! The hubs of an app as one document: methods, arguments and results, for generators of typed clients.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::{
    hub::{Category, ClientCall},
    mounted::MethodInfo,
    shape::{Schemas, Shape},
};

/// The version of the format. It increases with incompatible changes.
const VERSION: u8 = 1;

/// The methods that clients of an app can call, and the methods that clients implement.
///
/// `to_string()` (indented) and [`Serialize`] write the contract as one JSON document. The same program
/// always writes the same document.
///
/// | Member | Content |
/// |---|---|
/// | `version` | 1; readers must refuse unknown versions |
/// | `hubs` | sorted by name |
/// | `hubs[].name`, `docs` | the name in the spelling of clients; the block's doc comment, if it has one |
/// | `hubs[].negotiate`, `connected`, `disconnected` | whether the hub has these methods |
/// | `hubs[].fallback` | whether the hub has a fallback for other methods |
/// | `hubs[].methods` | the methods that clients call, in source order: `name`, `docs`, `arguments`, `result` |
/// | `hubs[].client` | the methods that clients implement, in the same form |
/// | `…arguments[]` | `name`, `schema`, `optional` (may be omitted at the end), `rest` (all arguments as one value) |
/// | `…result` | the schema of the result; absent for no result or an unknown type |
/// | `schemas` | the targets of `$ref`: `received` for values that the app reads, `sent` for values that it writes |
///
/// `schema`, `optional`, `result` and `schemas` need the feature `schema`. They are JSON Schemas of
/// draft 2020-12, for types that implement `JsonSchema` of schemars 1. Other types have the schema
/// `true`, which allows any value. Empty members are omitted.
#[derive(Clone, Debug, Serialize)]
pub struct Contract {
    version: u8,
    hubs: Vec<HubContract>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schemas: Option<Definitions>,
    #[serde(skip)]
    types_without_schema: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct Definitions {
    received: Value,
    sent: Value,
}

/// One hub.
#[doc(hidden)]
#[derive(Clone, Debug, Serialize)]
pub struct HubContract {
    pub(crate) name: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) docs: &'static str,
    pub(crate) negotiate: bool,
    pub(crate) connected: bool,
    pub(crate) disconnected: bool,
    pub(crate) fallback: bool,
    pub(crate) methods: Vec<CallContract>,
    pub(crate) client: Vec<CallContract>,
}

/// One method of a hub or a client.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CallContract {
    name: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    docs: &'static str,
    arguments: Vec<ArgumentContract>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

#[derive(Clone, Debug, Serialize)]
struct ArgumentContract {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    #[serde(skip_serializing_if = "is_false")]
    optional: bool,
    #[serde(skip_serializing_if = "is_false")]
    rest: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Contract {
    /// Creates the contract of these hubs, whose descriptions refer to `schemas`.
    #[doc(hidden)]
    #[must_use]
    pub fn new(mut hubs: Vec<HubContract>, schemas: Schemas) -> Self {
        hubs.sort_by_key(|hub| hub.name);
        let types_without_schema = schemas.without_schema();
        Self { version: VERSION, hubs, schemas: schemas.finish(), types_without_schema }
    }

    /// The names of the types of arguments and results that do not implement `JsonSchema`, without duplicates. Empty
    /// without the feature `schema`.
    #[must_use]
    pub fn types_without_schema(&self) -> &[&'static str] {
        &self.types_without_schema
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?)
    }
}

impl HubContract {
    /// Creates the contract of a hub from the rows of the hub and the rows of its clients.
    pub(crate) fn new(
        name: &'static str,
        docs: &'static str,
        negotiate: bool,
        rows: &[(&MethodInfo, Shape)],
        client: &[ClientCall],
        schemas: &mut Schemas,
    ) -> Self {
        let has = |category| rows.iter().any(|(method, _)| method.category == category);
        let named = |method: &MethodInfo| method.category == Category::Message && !method.fallback;
        let methods = rows.iter().filter(|(method, _)| named(method)).map(|(method, shape)| {
            CallContract::new(method.name, method.docs, method.params, *shape, schemas)
        });
        Self {
            name,
            docs,
            negotiate,
            connected: has(Category::Connected),
            disconnected: has(Category::Disconnected),
            fallback: rows.iter().any(|(method, _)| method.fallback),
            methods: methods.collect(),
            client: client
                .iter()
                .map(|call| {
                    CallContract::new(call.name, call.docs, call.params, call.shape, schemas)
                })
                .collect(),
        }
    }
}

impl CallContract {
    fn new(
        name: &'static str,
        docs: &'static str,
        params: &[&'static str],
        shape: Shape,
        schemas: &mut Schemas,
    ) -> Self {
        let (types, result) = schemas.of(shape);
        let mut types = types.into_iter();
        let arguments = params.iter().map(|param| {
            let (schema, optional) = types.next().unzip();
            ArgumentContract {
                name: param.trim_start_matches("..."),
                schema,
                optional: optional.unwrap_or(false),
                rest: param.starts_with("..."),
            }
        });
        Self { name, docs, arguments: arguments.collect(), result }
    }
}

#[cfg(feature = "schema")]
impl Schemas {
    /// The schema of each argument, whether the argument is optional, and the schema of the result.
    fn of(&mut self, shape: Shape) -> (Vec<(Value, bool)>, Option<Value>) {
        let types = (shape.types)(self);
        let arguments = types.arguments.into_iter();
        let arguments = arguments.map(|argument| (sorted(argument.schema), argument.optional));
        (arguments.collect(), types.result.map(sorted))
    }

    fn without_schema(&self) -> Vec<&'static str> {
        self.without_schema.iter().copied().collect()
    }

    fn finish(mut self) -> Option<Definitions> {
        let (received, sent) = self.generators.definitions();
        Some(Definitions {
            received: sorted(Value::Object(received)),
            sent: sorted(Value::Object(sent)),
        })
    }
}

#[cfg(not(feature = "schema"))]
impl Schemas {
    fn of(&mut self, _: Shape) -> (Vec<(Value, bool)>, Option<Value>) {
        (Vec::new(), None)
    }

    #[allow(clippy::unused_self, reason = "the same signature as with the feature")]
    fn without_schema(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn finish(self) -> Option<Definitions> {
        None
    }
}

/// Sorts the members of all objects in a value, so that their order does not depend on the map type of
/// `serde_json`.
#[cfg(feature = "schema")]
#[doc(hidden)]
#[must_use]
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|(left, _), (right, _)| left.cmp(right));
            let members = members.into_iter().map(|(name, value)| (name, sorted(value)));
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
