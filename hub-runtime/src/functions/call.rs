//! A call of the Functions host for a function with bindings, and its answer.
//!
//! Source: <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers>, sections "Request payload" and
//! "Response payload". The module `bindings` adds the methods for functions of the app itself.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use hub_core::values::read_json;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

/// The maximum number of JSON encodings of one value. The host encodes scalars twice, and the value of
/// an input binding of SignalR three times.
const MAX_ENCODINGS: usize = 3;

/// A call of the Functions host: `POST /<function name>`, for every function that is not a forwarded
/// HTTP trigger.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionCall {
    pub(crate) data: HashMap<String, Box<RawValue>>,
    #[cfg(feature = "functions-bindings")]
    #[serde(default)]
    pub(crate) metadata: HashMap<String, Box<RawValue>>,
}

// Names only: the values contain client tokens and data of users.
impl fmt::Debug for FunctionCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_tuple("FunctionCall");
        call.field(&self.data.keys().collect::<BTreeSet<_>>());
        #[cfg(feature = "functions-bindings")]
        call.field(&self.metadata.keys().collect::<BTreeSet<_>>());
        call.finish()
    }
}

impl FunctionCall {
    /// Returns a value of `Data` that decodes as a `T`, under any name.
    pub(super) fn find<T: DeserializeOwned>(&self) -> Option<T> {
        self.data.values().find_map(|raw| decode(raw).ok())
    }
}

/// Decodes a value that may be JSON-encoded several times: the innermost encoding that decodes as a `T`.
/// For example, the JSON string `"5"` decodes as the number 5 if `T` is a number.
pub(crate) fn decode<T: DeserializeOwned>(raw: &RawValue) -> Result<T, serde_json::Error> {
    let mut layers = vec![raw.get().to_owned()];
    while let Some(inner) = layers.last().and_then(|text| serde_json::from_str(text).ok()) {
        layers.push(inner);
        if layers.len() > MAX_ENCODINGS {
            break;
        }
    }
    let mut decoded = read_json(raw.get().as_bytes());
    for layer in layers.iter().skip(1) {
        if let Ok(value) = read_json(layer.as_bytes()) {
            decoded = Ok(value);
        }
    }
    decoded
}

/// The answer of a function with bindings: the body of a response with status 200 and content type
/// `application/json`.
///
/// The host decodes a returned **string that is valid base64** (`test`, for example), and removes
/// whitespace from it. To return such a string unchanged, put it into an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[must_use = "an answer does nothing until it is written"]
pub struct FunctionAnswer {
    pub(crate) outputs: BTreeMap<String, Value>,
    pub(super) logs: Vec<String>,
    pub(crate) return_value: Value,
}

impl FunctionAnswer {
    /// Creates an answer without outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line to the log of the function.
    pub fn log(mut self, line: impl Into<String>) -> Self {
        self.logs.push(line.into());
        self
    }

    /// Returns the answer as JSON.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        // Serialization cannot fail: keys are strings, values are JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
