//! Runs a call of a client again.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use hub_core::protocol::{Protocol, convert};
use serde_json::{Value, json};

use super::{error::Refused, json as to_json};
use crate::{
    body::Body,
    connection::run_again,
    inspect::{Conversation, Inspection},
    state::State,
};

/// Calls the app again with the arguments of a call, or with other ones. The client of the call receives nothing. The call
/// ends also if the reader of the response has gone.
pub(super) async fn run(
    state: &Arc<State>,
    inspection: &Inspection,
    call: u64,
    arguments: Option<Vec<Value>>,
) -> Result<Response<Body>, Refused> {
    let recorder = &inspection.recorder;
    let of = recorder.find(call).ok_or_else(|| {
        let error = format!("the call {call} is not kept any more, or was not of a client");
        Refused::missing(error, "choose a later call")
    })?;
    let hub = state.hubs.find(&of.peer.hub);
    let connection = hub.and_then(|hub| hub.connection(&of.peer.id)).ok_or_else(|| {
        let error = "the client of the call has disconnected, and a call needs its connection";
        Refused::conflict(error, "call the method from the test client")
    })?;
    let arguments = match arguments {
        Some(arguments) => encoded(arguments, of.protocol)?,
        None => kept(&of)?,
    };
    let calling = async move { run_again(&connection, &of, arguments).await };
    let again = state.shared.tasks.spawn(calling).await.unwrap_or_default();
    let again = again
        .ok_or_else(|| Refused::conflict("the service has no upstream", "configure an upstream"))?;
    let (first, again_answer) = (recorder.answer_of(call), recorder.answer_of(again));
    Ok(to_json(&json!({ "call": again, "first": first, "again": again_answer })))
}

fn kept(of: &Conversation) -> Result<Bytes, Refused> {
    of.arguments.whole().cloned().ok_or_else(|| {
        let error = "the arguments of the call were not kept completely";
        Refused::conflict(error, "give them in `arguments`")
    })
}

fn encoded(arguments: Vec<Value>, protocol: Protocol) -> Result<Bytes, Refused> {
    let json = Bytes::from(Value::Array(arguments).to_string());
    convert(&json, Protocol::Json, protocol)
        .map_err(|error| Refused::invalid(error.to_string(), "change `arguments`"))
}
