//! A function of the app itself: a timer, a queue or an HTTP request, with bindings of SignalR.

use serde::Serialize;
use serde_json::{Value, json};

/// A function of the app itself, for [`HubAppBuilder::function`](crate::HubAppBuilder::function): its name and
/// the bindings of its function.json.
///
/// The Functions host calls it as `POST /<name>`; answer this route with [`HubApp::run_with`](crate::HubApp::run_with).
///
/// ```
/// use hub_runtime::deploy::Function;
///
/// let timer = serde_json::json!({
///     "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 * * * * *",
/// });
/// let output = serde_json::json!({
///     "type": "signalR", "direction": "out", "name": "signalRMessages", "hubName": "clock",
/// });
/// let tick = Function::new("Tick").binding(&timer).binding(&output);
/// # let _ = tick;
/// ```
///
/// With the feature `functions-bindings`, `bindings::SignalROutputBinding` and
/// `bindings::SignalRConnectionInfoBinding` are the entries of the bindings of SignalR.
#[derive(Clone, Debug)]
#[must_use = "a function does nothing until it is added to the builder"]
pub struct Function {
    name: String,
    bindings: Vec<Value>,
    /// The error of an entry that is not JSON.
    failed: Option<String>,
}

impl Function {
    /// Creates a function without bindings.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), bindings: Vec::new(), failed: None }
    }

    /// Adds an entry of `bindings` in function.json. The first one is the trigger.
    pub fn binding(mut self, entry: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_value(entry) {
            Ok(entry) => self.bindings.push(entry),
            Err(error) => self.failed = Some(error.to_string()),
        }
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn json(&self) -> Value {
        json!({"bindings": self.bindings})
    }

    /// Why the function cannot be deployed.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self { name, bindings, failed } = self;
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let problem = match failed {
            Some(error) => format!("a binding is not JSON: {error}"),
            None if !name.starts_with(|c: char| c.is_ascii_alphabetic())
                || !name.chars().all(is_letter) =>
            {
                "a name is a letter followed by letters, digits, `-` and `_`".to_owned()
            }
            None if !bindings.iter().any(is_trigger) => {
                "it has no trigger; add an entry such as `timerTrigger`".to_owned()
            }
            None => return None,
        };
        Some(format!("the function {name:?} cannot be deployed: {problem}"))
    }
}

fn is_trigger(entry: &Value) -> bool {
    entry["type"].as_str().is_some_and(|kind| kind.ends_with("Trigger"))
}
