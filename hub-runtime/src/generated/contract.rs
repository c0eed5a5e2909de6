//! The contract of an app, as generators read it.

use std::{collections::BTreeMap, io};

use serde::Deserialize;
use serde_json::Value;

use crate::service;

#[derive(Deserialize)]
pub(crate) struct Contract {
    pub(crate) hubs: Vec<Hub>,
    pub(crate) schemas: Schemas,
}

/// Schemas by name.
#[derive(Deserialize)]
pub(crate) struct Schemas {
    /// Of values that the app reads.
    pub(crate) received: BTreeMap<String, Value>,
    /// Of values that the app writes.
    pub(crate) sent: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
pub(crate) struct Hub {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) docs: String,
    #[serde(default)]
    pub(crate) negotiate: bool,
    #[serde(default)]
    pub(crate) connected: bool,
    #[serde(default)]
    pub(crate) disconnected: bool,
    #[serde(default)]
    pub(crate) fallback: bool,
    pub(crate) methods: Vec<Call>,
    pub(crate) client: Vec<Call>,
}

#[derive(Deserialize)]
pub(crate) struct Call {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) docs: String,
    pub(crate) arguments: Vec<Argument>,
    #[serde(default)]
    pub(crate) result: Option<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) schema: Value,
    #[serde(default)]
    pub(crate) optional: bool,
    /// Whether the value contains all arguments of the call.
    #[serde(default)]
    pub(crate) rest: bool,
}

/// Reads a contract with schemas.
pub(crate) fn read(contract: &service::Contract) -> io::Result<Contract> {
    Ok(serde_json::to_value(contract).and_then(serde_json::from_value)?)
}
