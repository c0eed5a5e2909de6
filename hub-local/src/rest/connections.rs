//! Operations on one connection.

use super::{
    call::{RestCall, RestResult},
    error::RestError,
    version::ApiVersion,
};
use crate::body;

/// Closes one connection. An unknown connection gets 404, which the SDK treats as success. Version v1 has
/// no 404 here.
pub(super) fn close(call: &RestCall<'_>, id: &str) -> RestResult {
    match call.hub.connection(id) {
        Some(connection) => connection.end(call.ending()),
        None if call.version() == ApiVersion::V1 => {}
        None => return Err(RestError::no_connection("the connection does not exist")),
    }
    Ok(body::empty(call.version().closed_connection()))
}
