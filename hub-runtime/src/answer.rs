//! Responses in plain text, and the log line of an error.

use bytes::Bytes;
use http::{Response, StatusCode};
use hub_core::{ErrorKind, HubError};
use hub_net::log_limit::shown;

use crate::{error_id::ErrorId, telemetry, unlogged};

/// The error text of internal errors for clients.
pub(crate) const INTERNAL: &str = "Something went wrong on the server";

/// A response that ends a request early.
pub(crate) type Refusal = Box<Response<Bytes>>;

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

/// A response with a text for the operator.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(text.into()));
    *answer.status_mut() = status;
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    answer
}

/// Logs an internal error under a new id, and returns the text for the client, which contains the id.
pub(crate) fn internal(error: &HubError) -> String {
    let id = ErrorId::random();
    log(error, Some(&id), None);
    internal_text(&id)
}

/// The text that shows a client the id of a logged internal error.
pub(crate) fn internal_text(id: &ErrorId) -> String {
    format!("{INTERNAL} (error id {id})")
}

/// How much clients read about a call that does not fit a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ErrorDetail {
    /// Which argument is wrong.
    Position,
    /// Also the names of parameters and types, and the text of the decoder.
    #[default]
    Arguments,
    /// Also the name of a method that is similar to an unknown name.
    Suggestions,
}

/// Logs an error, and returns the text that a client may read.
pub(crate) fn client_text(error: &HubError, detail: ErrorDetail) -> String {
    if error.is_internal() {
        return internal(error);
    }
    log(error, None, None);
    match detail {
        ErrorDetail::Position => error.brief().into_owned(),
        ErrorDetail::Arguments | ErrorDetail::Suggestions => error.text().to_owned(),
    }
}

/// Logs an error at the level of its kind. `omitted` is the number of lines that a limit left out before.
pub(crate) fn log(error: &HubError, id: Option<&ErrorId>, omitted: Option<u64>) {
    let (cause, filter) = (error.chain(), error.refused_by());
    if error.is_internal() {
        unlogged::first_error(id, &cause);
    }
    let id = id.map(tracing::field::display);
    match (error.kind(), filter) {
        _ if error.is_refusal() => telemetry::refused(error, &shown(&cause), omitted),
        (ErrorKind::Rejected, _) => {
            tracing::debug!(cause = &*shown(&cause), omitted, "call rejected");
        }
        (ErrorKind::Panicked, None) => {
            tracing::error!(error_id = id, cause, omitted, "hub method panicked");
        }
        (ErrorKind::Panicked, _) => {
            tracing::error!(error_id = id, filter, cause, omitted, "filter panicked");
        }
        (_, None) => tracing::error!(error_id = id, cause, omitted, "hub method failed"),
        (_, _) => tracing::error!(error_id = id, filter, cause, omitted, "filter failed"),
    }
}
