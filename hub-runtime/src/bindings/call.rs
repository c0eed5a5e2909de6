//! Values of a call of the Functions host, and outputs of the response.

use std::collections::HashMap;

use hub_core::values::to_json_value;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use super::BindingError;
use crate::functions::call::{FunctionAnswer, FunctionCall, decode};

impl FunctionCall {
    /// Parses the body of a call.
    ///
    /// # Errors
    /// When the body is not JSON with a `Data` object.
    pub fn parse(body: &[u8]) -> Result<Self, BindingError> {
        serde_json::from_slice(body).map_err(|error| BindingError::Call(error.into()))
    }

    /// Returns the value of a trigger or input binding by its name in function.json. The host encodes
    /// values as JSON up to three times; all encodings are removed.
    ///
    /// # Errors
    /// When the call has no such value, or the value is not a `T`.
    pub fn data<T: DeserializeOwned>(&self, name: &str) -> Result<T, BindingError> {
        value(&self.data, name)
    }

    /// Returns a value of the trigger's metadata: `DequeueCount`, or one of the `parameterNames` of a
    /// SignalR trigger.
    ///
    /// # Errors
    /// Like [`Self::data`].
    pub fn metadata<T: DeserializeOwned>(&self, name: &str) -> Result<T, BindingError> {
        value(&self.metadata, name)
    }
}

fn value<T: DeserializeOwned>(
    values: &HashMap<String, Box<RawValue>>,
    name: &str,
) -> Result<T, BindingError> {
    let raw = values.get(name).ok_or_else(|| BindingError::NoSuchValue(name.to_owned()))?;
    decode(raw).map_err(|error| BindingError::Type { name: name.to_owned(), source: error.into() })
}

impl FunctionAnswer {
    /// Sets the value of an output binding: a [`SignalRMessage`](super::SignalRMessage), a list of messages,
    /// or a value for another binding.
    ///
    /// # Errors
    /// When the value cannot be serialized as JSON.
    pub fn output(
        mut self,
        name: impl Into<String>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<Self, BindingError> {
        self.outputs.insert(name.into(), json(value)?);
        Ok(self)
    }

    /// Sets the return value: the value of the binding `$return`, or the result of a SignalR trigger for
    /// the client that invoked it.
    ///
    /// # Errors
    /// When the value cannot be serialized as JSON.
    pub fn returning(mut self, value: &(impl Serialize + ?Sized)) -> Result<Self, BindingError> {
        self.return_value = json(value)?;
        Ok(self)
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<Value, BindingError> {
    to_json_value(value).map_err(|error| BindingError::Encode(error.into()))
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
    fn multiply_encoded_values_are_decoded() {
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
    fn scalars_convert_to_the_requested_type() {
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
    fn missing_and_invalid_values_are_different_errors() {
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
