//! Refusals: what is wrong, and what to do.

use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, RETRY_AFTER},
};
use hub_net::body::ReadError;
use serde_json::json;

use super::guard;
use crate::body::{self, Body};

/// A refused request.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    error: String,
    fix: String,
    allow: Option<&'static str>,
}

impl Refused {
    pub(super) fn new(
        status: StatusCode,
        error: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status, error: error.into(), fix: fix.into(), allow: None }
    }

    /// 400: a part of the request is not valid.
    pub(super) fn invalid(error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, fix)
    }

    /// 404: what the request names does not exist.
    pub(super) fn missing(error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error, fix)
    }

    /// 409: the request cannot be done now.
    pub(super) fn conflict(error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error, fix)
    }

    /// 405: the resource has other methods.
    pub(super) fn method(allow: &'static str) -> Self {
        let error = format!("the resource supports only {allow}");
        let new = Self::new(StatusCode::METHOD_NOT_ALLOWED, error, format!("use {allow}"));
        Self { allow: Some(allow), ..new }
    }

    /// The body could not be read.
    pub(super) fn body(error: &ReadError) -> Self {
        match error {
            ReadError::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body has more than 1 MiB",
                "send a smaller body",
            ),
            ReadError::TimedOut => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time",
                "send the request again",
            ),
            ReadError::Aborted(_) => Self::invalid("the body is incomplete", "send it again"),
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let Self { status, error, fix, allow } = self;
        let mut response = body::json(status, json!({ "error": error, "fix": fix }).to_string());
        let headers = response.headers_mut();
        if let Some(allow) = allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        guard::harden(headers);
        body::challenged(response)
    }
}
