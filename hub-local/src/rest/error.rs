//! Errors of REST calls: a status, a code in a header, and a body that explains.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::ALLOW};
use serde::Serialize;

use crate::body::{self, Body, ReadError};

/// The header that SDKs look at, above all for 404.
const CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// What went wrong with a REST call.
#[derive(Debug)]
pub(super) struct RestError {
    status: StatusCode,
    code: &'static str,
    message: String,
    target: Option<&'static str>,
    allow: Option<&'static str>,
}

impl RestError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), target: None, allow: None }
    }

    /// 401: the token is missing or not accepted.
    pub(super) fn unauthorized(message: String) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Error.Request.Unauthorized", message)
    }

    /// 400: a part of the request, `target`, is not what it must be.
    pub(super) fn invalid(target: &'static str, message: impl Into<String>) -> Self {
        let target = Some(target);
        let base = Self::new(StatusCode::BAD_REQUEST, "Error.Request.Invalid", message);
        Self { target, ..base }
    }

    /// 404: there is no such operation.
    pub(super) fn no_operation() -> Self {
        let message = "there is no such operation";
        Self::new(StatusCode::NOT_FOUND, "Error.Request.NotExisted", message)
    }

    /// 405: the resource knows other methods.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("the resource allows {allow}");
        let base =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "Error.Request.MethodNotAllowed", message);
        Self { allow: Some(allow), ..base }
    }

    /// 415: the body is not JSON.
    pub(super) fn content_type() -> Self {
        let message = "the body must be application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Error.Request.UnsupportedMediaType", message)
    }

    /// 413 or 400: the body could not be read.
    pub(super) fn body(error: &ReadError, limit: usize) -> Self {
        match error {
            ReadError::TooLarge => {
                let message = format!("the body has more than {limit} bytes");
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Error.Request.TooLarge", message)
            }
            ReadError::Aborted => Self::invalid("body", "the body broke off"),
        }
    }

    /// 404: something is not there, which the caller may have expected.
    pub(super) fn missing(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 404: the connection is unknown or gone.
    pub(super) fn no_connection(message: &str) -> Self {
        Self::missing("Warning.Connection.NotExisted", message)
    }

    /// 400: the client answered a client result with an error.
    pub(super) fn by_client(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Error.Connection.ClientError", message)
    }

    /// 504: the client did not answer a client result in time.
    pub(super) fn client_timed_out() -> Self {
        let message = "the client did not answer in time";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "Error.Connection.TimedOut", message)
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let Self { status, code, message, target, allow } = self;
        tracing::debug!(status = status.as_u16(), code, message, "REST call refused");
        let detail = Detail { code, message: &message, target };
        let mut response = body::json(status, serde_json::to_vec(&detail).unwrap_or_default());
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert(CODE, HeaderValue::from_static(code));
        if let Some(allow) = allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
}
