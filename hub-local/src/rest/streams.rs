//! REST streams (Azure SignalR REST API 2024-12-01).
//!
//! In serverless mode clients cannot open streams, so a stream item has no receiver. The operations validate
//! the request and respond like the service, but send no frame to a client.

use http::StatusCode;
use serde_json::value::RawValue;

use super::{
    call::{RestCall, RestResult},
    error::RestError,
    send::{self, MessageBody},
};
use crate::body;

/// Validates `completed` and the item in the body.
pub(super) async fn send(call: RestCall<'_>) -> RestResult {
    check_completed(&call)?;
    check_item(send::body(call).await?).map_err(|error| RestError::invalid("body", error))?;
    Ok(body::empty(StatusCode::ACCEPTED))
}

fn check_completed(call: &RestCall<'_>) -> Result<(), RestError> {
    match call.query().first("completed") {
        Some(text) if !["true", "false"].iter().any(|it| text.eq_ignore_ascii_case(it)) => {
            Err(RestError::invalid("completed", "completed must be true or false"))
        }
        _ => Ok(()),
    }
}

/// A JSON body is one value; each entry of a bundle is a stream item.
fn check_item(body: MessageBody) -> Result<(), String> {
    match body {
        MessageBody::Json(body) => {
            serde_json::from_slice::<&RawValue>(&body).map(drop).map_err(|error| error.to_string())
        }
        #[cfg(feature = "msgpack")]
        MessageBody::Bundle(entries) => {
            use hub_core::protocol::Message;

            if !entries.iter().all(|(_, it)| matches!(it, Message::StreamItem { .. })) {
                return Err("every entry must be a stream item".to_owned());
            }
            if entries.is_empty() {
                return Err("there must be an entry for json or messagepack".to_owned());
            }
            Ok(())
        }
    }
}
