//! One connection.

use http::StatusCode;

use super::{Answer, Call, error::RestError};
use crate::{body, connection::ending::Ending};

/// Closes one connection. The SDK takes the 404 for done.
pub(super) fn close(call: &Call<'_>, id: &str) -> Answer {
    let reason = call.query().first("reason").filter(|reason| !reason.is_empty());
    let Some(connection) = call.hub.connection(id) else {
        return Err(RestError::no_connection("no such connection"));
    };
    connection.end(Ending::by_service(reason));
    Ok(body::empty(StatusCode::OK))
}
