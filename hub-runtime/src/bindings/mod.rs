//! Types for the input and output bindings of Azure Functions.
//!
//! Hubs do not need these types: they send with `ctx.clients()` on every host. Use them for your own
//! functions (a timer, a queue) that return messages instead of sending them, and to port functions from
//! another language.
//!
//! Source of the formats:
//! <https://learn.microsoft.com/azure/azure-functions/functions-bindings-signalr-service>.
//!
//! ```
//! use hub_runtime::bindings::{FunctionAnswer, FunctionCall, SignalRMessage};
//!
//! /// `POST /Tick`: the call of the Functions host for the timer function `Tick`.
//! fn tick(body: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//!     let schedule: serde_json::Value = FunctionCall::parse(body)?.data("timer")?;
//!     let late = schedule["IsPastDue"].as_bool().unwrap_or(false);
//!     let message = SignalRMessage::broadcast("ticked", (late,))?.to_group("clocks");
//!     Ok(FunctionAnswer::new().output("signalRMessages", &[message])?.to_vec())
//! }
//! # let body = br#"{"Data":{"timer":{"IsPastDue":true}},"Metadata":{}}"#;
//! # assert!(String::from_utf8(tick(body).unwrap()).unwrap().contains(r#""arguments":[true]"#));
//! ```

mod call;
mod connection_info;
mod expression;
mod output;

pub use self::{
    connection_info::{SignalRConnectionInfo, SignalRConnectionInfoBinding},
    expression::BindingExpression,
    output::{GroupAction, SignalRGroupAction, SignalRMessage, SignalROutputBinding},
};
pub use crate::functions::call::{FunctionAnswer, FunctionCall};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An invalid call, value or expression of a binding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The body of a call is not `{"Data":{…},"Metadata":{…}}`.
    #[error("the call of the Functions host is not JSON with a `Data` object")]
    Call(#[source] Source),
    /// The call has no value with this name.
    #[error("the call has no value `{0}`; use the name of the binding in function.json")]
    NoSuchValue(String),
    /// A value does not have the requested type.
    #[error("`{name}` does not have the requested type")]
    Type {
        /// The name of the binding.
        name: String,
        /// The error of the decoder.
        #[source]
        source: Source,
    },
    /// A value cannot be serialized as JSON.
    #[error("a value cannot be serialized as JSON")]
    Encode(#[source] Source),
    /// The arguments of a message are not a tuple or a list.
    #[error("the arguments of a message must be a tuple or a list, for example `(text,)`")]
    Arguments,
    /// A binding expression is malformed, or selects a value that a client controls.
    #[error("`{expression}` is not a valid binding expression for negotiate: {problem}")]
    Expression {
        /// The expression.
        expression: String,
        /// The problem, and the allowed values.
        problem: &'static str,
    },
}
