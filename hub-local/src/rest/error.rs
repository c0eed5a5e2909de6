//! Errors of REST calls: a status, a code in `x-ms-error-code`, and a body with details.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header::ALLOW, request::Parts};
use hub_core::{
    protocol::{ConvertError, error_text},
    rest_error,
};
use serde::Serialize;

use super::version::ApiVersion;
use hub_net::{
    body::ReadError,
    log_limit::{LogLimit, shown},
};

use crate::{
    body::{self, Body},
    causes::{Cause, Refusal},
    hub::quota::QuotaExceeded,
    inspect::{Matter, Recorder, Subject, Trouble},
};

const NO_OPERATION: &str = "Error.Request.NotExisted";

/// An error response.
#[derive(Debug)]
pub(super) struct RestError {
    status: StatusCode,
    code: &'static str,
    message: String,
    target: Option<&'static str>,
    allow: Option<&'static str>,
    form: ErrorFormat,
    /// Why the caller must change something. `None` if the error is a result: a resource does not exist, or a client has
    /// failed.
    cause: Option<Cause>,
}

/// The format of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorFormat {
    /// The format of the API version.
    OfVersion,
    /// Plain text with the message only.
    Text,
}

impl RestError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let (message, form) = (message.into(), ErrorFormat::OfVersion);
        Self { status, code, message, target: None, allow: None, form, cause: None }
    }

    fn refused(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// 401: the token is missing or not accepted.
    pub(super) fn unauthorized(Refusal { cause, text }: Refusal) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Error.Request.Unauthorized", text).refused(cause)
    }

    /// 400: the part `target` of the request is invalid.
    pub(super) fn invalid(target: &'static str, message: impl Into<String>) -> Self {
        let target = Some(target);
        let base = Self::new(StatusCode::BAD_REQUEST, "Error.Request.Invalid", message);
        Self { target, ..base.refused(Cause::InvalidCall) }
    }

    /// 403: a refresh cannot change the user of a connection.
    pub(super) fn other_user() -> Self {
        let message =
            "the connection belongs to another user, and a refresh cannot change its user";
        let base = Self::new(StatusCode::FORBIDDEN, rest_error::OTHER_USER, message);
        base.refused(Cause::InvalidCall)
    }

    /// 404: unknown operation.
    pub(super) fn no_operation() -> Self {
        let message = "the operation does not exist";
        Self::new(StatusCode::NOT_FOUND, NO_OPERATION, message).refused(Cause::UnknownOperation)
    }

    /// Whether this is [`Self::no_operation`].
    pub(super) fn is_no_operation(&self) -> bool {
        self.code == NO_OPERATION
    }

    /// 405: the resource does not support the method.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("the resource supports only {allow}");
        let base =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "Error.Request.MethodNotAllowed", message);
        Self { allow: Some(allow), ..base.refused(Cause::UnknownOperation) }
    }

    /// 431: the headers are larger than the limit.
    pub(super) fn headers(limit: usize) -> Self {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let message = format!("the headers have more than {limit} bytes");
        Self::new(status, "Error.Request.HeadersTooLarge", message).refused(Cause::LargeCall)
    }

    /// 415: the operation does not accept the content type.
    pub(super) fn content_type() -> Self {
        let message =
            "the content type must be application/json, or application/octet-stream for a message";
        Self::unsupported(message)
    }

    /// 415: the body is compressed. Refused, because the decompressed size would be unbounded.
    pub(super) fn content_encoding() -> Self {
        let message = "a Content-Encoding is not supported";
        Self::unsupported(message)
    }

    fn unsupported(message: &str) -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let base = Self::new(status, "Error.Request.UnsupportedMediaType", message);
        base.refused(Cause::WrongContentType)
    }

    /// 413, 408 or 400: the body could not be read.
    pub(super) fn body(error: &ReadError, limit: usize) -> Self {
        match error {
            ReadError::TooLarge => {
                let message = format!("the body has more than {limit} bytes");
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                Self::new(status, "Error.Request.TooLarge", message).refused(Cause::LargeCall)
            }
            ReadError::TimedOut => {
                let message = "the body did not arrive in time";
                let status = StatusCode::REQUEST_TIMEOUT;
                Self::new(status, "Error.Request.TimedOut", message).refused(Cause::LargeCall)
            }
            ReadError::Aborted(_) => Self::invalid("body", "the body is incomplete"),
        }
    }

    /// 404: the resource does not exist.
    pub(super) fn missing(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 404: the connection is unknown or closed.
    pub(super) fn no_connection(message: &str) -> Self {
        Self::missing(rest_error::NO_CONNECTION, message)
    }

    /// 400: the client completed the invocation with an error.
    pub(super) fn by_client(message: &str) -> Self {
        let message = error_text(message);
        Self::new(StatusCode::BAD_REQUEST, "Error.Connection.ClientError", message)
    }

    /// 504: the client did not complete the invocation in time.
    pub(super) fn client_timed_out() -> Self {
        let message = "the client did not answer in time";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "Error.Connection.TimedOut", message)
    }

    /// Uses plain text, because some callers show the body to their users.
    pub(super) fn in_text(self) -> Self {
        Self { form: ErrorFormat::Text, ..self }
    }

    /// Logs why a call was refused: Microsoft's Management SDK does not show the body of the response.
    pub(super) fn log(&self, limit: &LogLimit, parts: &Parts) {
        let Self { status, code, message, cause, .. } = self;
        let (method, path) = (parts.method.as_str(), &*shown(parts.uri.path()));
        let (status, message) = (status.as_u16(), &*shown(message));
        let Some(cause) = cause else {
            tracing::debug!(method, path, status, code, message, "REST call without success");
            return;
        };
        let (cause, check) = (cause.id(), cause.check());
        limit.line(code, |omitted| {
            tracing::warn!(
                method,
                path,
                status,
                code,
                message,
                cause,
                check,
                omitted,
                "REST call refused"
            );
        });
    }

    /// Records why a call was refused for the inspector.
    pub(super) fn record(&self, recorder: &Recorder, parts: &Parts) {
        let Some(cause) = self.cause else { return };
        let path = parts.uri.path();
        let mut segments = path.split('/').skip_while(|it| !it.eq_ignore_ascii_case("hubs"));
        let hub = segments.nth(1).map(|hub| hub.to_ascii_lowercase().into());
        let text = format!("{} {}: {}", parts.method, shown(path), self.message);
        let subject = Subject { hub, ..Subject::default() };
        let trouble = Trouble { cause: Some(cause), text: text.into() };
        recorder.refused(subject, Matter::Rest, Some(self.status.as_u16()), trouble);
    }

    pub(super) fn into_response(self, version: ApiVersion) -> Response<Body> {
        let Self { status, code, message, target, allow, form, .. } = self;
        let mut response = match (version, form) {
            (ApiVersion::V1, _) | (_, ErrorFormat::Text) => body::text(status, message),
            (ApiVersion::Preview2020 | ApiVersion::Dated, ErrorFormat::OfVersion) => {
                let detail = Detail { code, message: &message, target };
                body::json(status, serde_json::to_vec(&detail).unwrap_or_default())
            }
        };
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert(rest_error::CODE, HeaderValue::from_static(code));
        if let Some(allow) = allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        body::challenged(response)
    }
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
}

/// The limit of group memberships is reached.
impl From<QuotaExceeded> for RestError {
    fn from(full: QuotaExceeded) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Error.Group.TooMany", full.to_string())
            .refused(Cause::FullGroups)
    }
}

/// A value cannot be represented in the hub protocol of a client.
impl From<ConvertError> for RestError {
    fn from(error: ConvertError) -> Self {
        Self::invalid("body", error.to_string())
    }
}
