//! A call of the Functions host for a function with bindings, and its answer.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use super::BindingError;

/// How often a value may be a text that holds JSON. The host writes scalars twice, and the value of an
/// input binding of SignalR three times.
const MAX_ENCODINGS: usize = 3;

/// What the Functions host posts to `/<function name>` for every function that is not a forwarded HTTP
/// trigger.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionCall {
    data: HashMap<String, Box<RawValue>>,
    #[serde(default)]
    metadata: HashMap<String, Box<RawValue>>,
}

impl fmt::Debug for FunctionCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Among the values are tokens of clients and what users said.
        let (data, metadata): (BTreeSet<_>, BTreeSet<_>) =
            (self.data.keys().collect(), self.metadata.keys().collect());
        f.debug_struct("FunctionCall")
            .field("data", &data)
            .field("metadata", &metadata)
            .finish_non_exhaustive()
    }
}

impl FunctionCall {
    /// Reads the body of a call.
    ///
    /// # Errors
    /// When it is not JSON with a `Data` object.
    pub fn parse(body: &[u8]) -> Result<Self, BindingError> {
        serde_json::from_slice(body).map_err(|error| BindingError::Call(error.into()))
    }

    /// The value of an input binding or trigger, by its name in function.json. The host encodes values
    /// up to three times; how often makes no difference here.
    ///
    /// # Errors
    /// When there is none of this name, or it is of another type.
    pub fn data<T: DeserializeOwned>(&self, name: &str) -> Result<T, BindingError> {
        value(&self.data, name)
    }

    /// A value that the trigger adds: `DequeueCount`, or one of the `parameterNames` of a SignalR
    /// trigger.
    ///
    /// # Errors
    /// As [`Self::data`].
    pub fn metadata<T: DeserializeOwned>(&self, name: &str) -> Result<T, BindingError> {
        value(&self.metadata, name)
    }

    /// The first value of `Data` that is a `T`, whatever its name.
    pub(crate) fn find<T: DeserializeOwned>(&self) -> Option<T> {
        self.data.values().find_map(|raw| decode(raw).ok())
    }
}

fn value<T: DeserializeOwned>(
    values: &HashMap<String, Box<RawValue>>,
    name: &str,
) -> Result<T, BindingError> {
    let raw = values.get(name).ok_or_else(|| BindingError::NoSuchValue(name.to_owned()))?;
    decode(raw).map_err(|error| BindingError::Type { name: name.to_owned(), source: error.into() })
}

/// Tries the innermost encoding first: a text that holds a text of JSON is that text when a `String`
/// is asked for, and a `"5"` is still a text.
fn decode<T: DeserializeOwned>(raw: &RawValue) -> Result<T, serde_json::Error> {
    let mut layers = vec![raw.get().to_owned()];
    while let Some(inner) = layers.last().and_then(|text| serde_json::from_str(text).ok()) {
        layers.push(inner);
        if layers.len() > MAX_ENCODINGS {
            break;
        }
    }
    let mut decoded = serde_json::from_str(raw.get());
    for layer in layers.iter().skip(1) {
        if let Ok(value) = serde_json::from_str(layer) {
            decoded = Ok(value);
        }
    }
    decoded
}

/// What a function with bindings answers, with status 200 and as `application/json`.
///
/// The host reads a returned **text that is valid base64** as bytes (`test` is one), and blanks in it are
/// lost: put texts into an object where that matters.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[must_use = "an answer does nothing until it is written"]
pub struct FunctionAnswer {
    outputs: BTreeMap<String, Value>,
    logs: Vec<String>,
    return_value: Value,
}

impl FunctionAnswer {
    /// An answer without outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a value to the output binding of this name: a [`SignalRMessage`](super::SignalRMessage), a
    /// list of them, or what another binding takes.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn output(
        mut self,
        name: impl Into<String>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<Self, BindingError> {
        let value =
            serde_json::to_value(value).map_err(|error| BindingError::Encode(error.into()))?;
        self.outputs.insert(name.into(), value);
        Ok(self)
    }

    /// Adds a line to the log of the function.
    pub fn log(mut self, line: impl Into<String>) -> Self {
        self.logs.push(line.into());
        self
    }

    /// Sets the return value: of the binding called `$return`, and of a SignalR trigger that a client
    /// invoked.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn returning(mut self, value: &(impl Serialize + ?Sized)) -> Result<Self, BindingError> {
        self.return_value =
            serde_json::to_value(value).map_err(|error| BindingError::Encode(error.into()))?;
        Ok(self)
    }

    /// The body.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        // A map with text keys and JSON values can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(data: &Value) -> FunctionCall {
        let body = json!({"Data": data, "Metadata": {"text": "\"hi\"", "count": "3"}});
        FunctionCall::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_value_is_read_however_often_it_is_encoded() {
        let plain = json!({"url": "u"});
        let once = Value::String(plain.to_string());
        let twice = Value::String(once.to_string());
        for value in [plain, once, twice] {
            let call = call(&json!({"info": value}));

            assert_eq!(call.data::<Value>("info").unwrap(), json!({"url": "u"}));
        }
    }

    #[test]
    fn debug_output_names_values_and_shows_none() {
        let call = call(&json!({"info": {"accessToken": "of-a-client"}}));

        let shown = format!("{call:?}");
        assert!(shown.contains("info") && shown.contains("count"), "{shown}");
        assert!(!shown.contains("of-a-client") && !shown.contains("hi"), "{shown}");
    }

    #[test]
    fn scalars_are_what_is_asked_for() {
        let call =
            call(&json!({"text": "\"hi\"", "plain": "hi", "digits": "\"5\"", "number": "5"}));

        assert_eq!(call.data::<String>("text").unwrap(), "hi");
        assert_eq!(call.data::<String>("plain").unwrap(), "hi");
        assert_eq!(call.data::<String>("digits").unwrap(), "5");
        assert_eq!(call.data::<u8>("number").unwrap(), 5);
        assert_eq!(call.metadata::<String>("text").unwrap(), "hi");
        assert_eq!(call.metadata::<u8>("count").unwrap(), 3);
    }

    #[test]
    fn a_missing_and_a_wrong_value_are_told_apart() {
        let call = call(&json!({"text": "hi"}));

        assert!(matches!(call.data::<u8>("text"), Err(BindingError::Type { .. })));
        assert!(matches!(call.data::<u8>("txt"), Err(BindingError::NoSuchValue(_))));
        assert!(matches!(FunctionCall::parse(b"[]"), Err(BindingError::Call(_))));
    }

    #[test]
    fn an_answer_is_never_empty() {
        let body = String::from_utf8(FunctionAnswer::new().to_vec()).unwrap();

        assert_eq!(body, r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#);
    }

    #[test]
    fn an_answer_carries_outputs_logs_and_a_value() {
        let answer = FunctionAnswer::new().output("out", &[1]).unwrap().log("line");

        let body = String::from_utf8(answer.returning(&42).unwrap().to_vec()).unwrap();

        assert_eq!(body, r#"{"Outputs":{"out":[1]},"Logs":["line"],"ReturnValue":42}"#);
    }
}
