//! The contract of an app, as the emitter reads it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct Contract {
    pub(super) hubs: Vec<Hub>,
    pub(super) schemas: Schemas,
}

/// Schemas by name.
#[derive(Deserialize)]
pub(super) struct Schemas {
    /// Of values that the app reads.
    pub(super) received: BTreeMap<String, Value>,
    /// Of values that the app writes.
    pub(super) sent: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct Hub {
    pub(super) name: String,
    #[serde(default)]
    pub(super) docs: String,
    pub(super) methods: Vec<Call>,
    pub(super) client: Vec<Call>,
}

#[derive(Deserialize)]
pub(super) struct Call {
    pub(super) name: String,
    #[serde(default)]
    pub(super) docs: String,
    pub(super) arguments: Vec<Argument>,
    #[serde(default)]
    pub(super) result: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) schema: Value,
    #[serde(default)]
    pub(super) optional: bool,
    /// Whether the value contains all arguments of the call.
    #[serde(default)]
    pub(super) rest: bool,
}
