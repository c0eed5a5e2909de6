//! What the input and output bindings of Azure Functions take and give, as types.
//!
//! Hubs need none of it: they send through `ctx.clients()` on every host. It is for functions of an
//! app's own (a timer, a queue) that prefer to return what should be sent, and for moving a function
//! that was written in another language.
//!
//! ```
//! use hub_runtime::bindings::{FunctionAnswer, FunctionCall, SignalRMessage};
//!
//! /// `POST /Tick`: what the Functions host calls for a timer whose function is called `Tick`.
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
    output::{GroupAction, SignalRGroupAction, SignalRMessage},
};
pub use crate::functions::call::{FunctionAnswer, FunctionCall};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why something is not what a binding takes or gives.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The body of a call is not `{"Data":{…},"Metadata":{…}}`.
    #[error("the call of the Functions host is not JSON with a `Data` object")]
    Call(#[source] Source),
    /// A call brings no value of this name.
    #[error("the call brings no `{0}`; the name is that of the binding in function.json")]
    NoSuchValue(String),
    /// A value is of another type than asked for.
    #[error("`{name}` is of another type")]
    Type {
        /// The binding.
        name: String,
        /// What did not fit.
        #[source]
        source: Source,
    },
    /// A value cannot be written as JSON.
    #[error("a value cannot be written as JSON")]
    Encode(#[source] Source),
    /// The arguments of a message are not a tuple or a list.
    #[error("the arguments of a message are a tuple or a list, like `(text,)`")]
    Arguments,
    /// A binding expression is malformed or of a kind that a negotiate cannot answer.
    #[error("`{expression}` is no binding expression for a negotiate: {problem}")]
    Expression {
        /// The expression as it was written.
        expression: String,
        /// What is wrong, and what it may be.
        problem: &'static str,
    },
}
