//! Errors of calls to the service.

use std::time::Duration;

use crate::{names::NameError, outbound::Target, rest_error::OTHER_USER};

/// Why a call to the service failed. [`kind`](Self::kind) groups the variants by remedy.
///
/// ```
/// # use hub_core::{SendError, SendErrorKind};
/// fn advice(error: &SendError) -> &'static str {
///     match error.kind() {
///         SendErrorKind::Credentials => "check the key, the endpoint and the clock",
///         _ if error.may_have_happened() => "do not send it again: it may have been delivered",
///         _ if error.is_retryable() => "send it again later",
///         _ => "sending it again does not help",
///     }
/// }
/// # assert_eq!(advice(&SendError::Throttled { retry_after: None }), "send it again later");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A hub, group, user, connection or event name is not valid on the wire. Nothing was sent.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An argument could not be serialised. Nothing was sent.
    #[error("an argument could not be serialised")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request body is larger than the service accepts. Nothing was sent.
    #[error("the message has {size} bytes; the service accepts at most {limit}")]
    TooLarge {
        /// Size of the request body in bytes.
        size: usize,
        /// Maximum size that the service accepts, in bytes.
        limit: usize,
    },
    /// The request head, which contains names and excluded connections, is larger than the service accepts.
    /// Nothing was sent.
    #[error(
        "the request head with names and excluded connections has {size} bytes; the service accepts at most {limit}"
    )]
    HeadTooLarge {
        /// Size of the request line and headers in bytes.
        size: usize,
        /// Maximum size that the service accepts, in bytes.
        limit: usize,
    },
    /// No token could be obtained for the request. Nothing was sent.
    #[error("cannot create a token for the service")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No connection to the service could be opened. Nothing was sent.
    #[error("the service could not be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke before the response. The service may have processed the call.
    #[error("the connection to the service broke before the response")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No response arrived within this time. The service may have processed the call.
    #[error("the service did not respond within {0:?}")]
    TimedOut(Duration),
    /// The connection does not exist any more.
    #[error("the connection no longer exists")]
    ConnectionGone,
    /// The service throttled the call and its retries (status 429).
    #[error("the service is throttling")]
    Throttled {
        /// Value of the header `Retry-After`, if there is one.
        retry_after: Option<Duration>,
    },
    /// The service responded with another error status.
    #[error("{}", rejection(*status, code.as_deref(), message))]
    Rejected {
        /// HTTP status. 401 and 403: key, endpoint, clock, role or network rule are wrong. 404: the
        /// endpoint is wrong or too old. 5xx and 408: the service may have processed the call.
        status: u16,
        /// Error code of the service (header `x-ms-error-code`), such as `Error.Request.Invalid`.
        code: Option<String>,
        /// Message of the response body, or the start of a body that is not JSON.
        message: String,
    },
    /// The response does not have the documented form.
    #[error("the response of the service is malformed")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The call failed at some of several endpoints, or left them out because they are [`Offline`](Self::Offline).
    /// It succeeded at the other endpoints.
    #[error("{} of {of} endpoints failed: {}", failures.len(), list(failures))]
    Endpoints {
        /// Each failure, in the order of the endpoints.
        failures: Vec<EndpointFailure>,
        /// Number of endpoints of the call.
        of: usize,
    },
    /// The sends to some of several targets failed, and the sends to the other targets succeeded. The error
    /// text is logged, so it omits the names of the targets.
    #[error("{} of {of} targets failed; the first failure: {}", failures.len(), first(failures))]
    Targets {
        /// Each failure with its target, so that the app can send to these targets again.
        failures: Vec<TargetFailure>,
        /// Number of targets of the send.
        of: usize,
    },
    /// The last health probe of the endpoint failed, so the call was not made there.
    #[error("the last health probe of the endpoint failed, so nothing was sent to it")]
    Offline,
    /// `with_endpoints` got no name, or the app's `EndpointRouter` selected no endpoint. Nothing was sent.
    #[error(
        "no endpoint is selected: pass at least one name to with_endpoints, and return at least one endpoint from EndpointRouter::route"
    )]
    NoEndpoint,
    /// No endpoint has this name. Nothing was sent.
    #[error("there is no endpoint {name}; the endpoints are: {}", known.join(", "))]
    UnknownEndpoint {
        /// The name that was passed.
        name: String,
        /// Names of the endpoints that exist.
        known: Vec<String>,
    },
}

/// The kind of a [`SendError`]. Errors of one kind have the same remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The call itself is wrong: a name, an argument, a size or an endpoint name.
    Invalid,
    /// The service does not accept the app's credentials, or there are none.
    Credentials,
    /// The connection does not exist any more, or the service has no such operation (404).
    NotFound,
    /// The service throttles the app.
    Throttled,
    /// The service could not be reached or is offline, or its response did not arrive.
    Network,
    /// The service failed, or its response is malformed.
    Service,
    /// Some of several endpoints or targets failed. Each failure has its own kind.
    Partial,
}

impl SendError {
    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> SendErrorKind {
        match self {
            Self::Name(_)
            | Self::Encode(_)
            | Self::TooLarge { .. }
            | Self::HeadTooLarge { .. }
            | Self::NoEndpoint
            | Self::UnknownEndpoint { .. } => SendErrorKind::Invalid,
            Self::Token(_) => SendErrorKind::Credentials,
            Self::ConnectionGone => SendErrorKind::NotFound,
            Self::Throttled { .. } => SendErrorKind::Throttled,
            Self::Unreachable(_) | Self::Interrupted(_) | Self::TimedOut(_) | Self::Offline => {
                SendErrorKind::Network
            }
            Self::Rejected { code: Some(code), .. } if code == OTHER_USER => SendErrorKind::Invalid,
            Self::Rejected { status, .. } => match status {
                401 | 403 => SendErrorKind::Credentials,
                404 => SendErrorKind::NotFound,
                408 | 500.. => SendErrorKind::Service,
                _ => SendErrorKind::Invalid,
            },
            Self::Malformed(_) => SendErrorKind::Service,
            Self::Endpoints { .. } | Self::Targets { .. } => SendErrorKind::Partial,
        }
    }

    /// Whether the same call may succeed later. If [`may_have_happened`](Self::may_have_happened) is `true`,
    /// a second call may take effect twice. For several endpoints or targets, all failures must be retryable.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Rejected { status, .. } => matches!(status, 408 | 500 | 502..=504),
            Self::Endpoints { failures, .. } => failures.iter().all(|it| it.error.is_retryable()),
            Self::Targets { failures, .. } => failures.iter().all(|it| it.error.is_retryable()),
            _ => matches!(self.kind(), SendErrorKind::Network | SendErrorKind::Throttled),
        }
    }

    /// Whether the service may have processed the call. If `false`, the call can be repeated without taking
    /// effect twice.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Interrupted(_) | Self::TimedOut(_) => true,
            // 408: a proxy in front of the service timed out.
            Self::Rejected { status, .. } => matches!(status, 408 | 500..),
            Self::Endpoints { failures, of } => {
                failures.len() < *of || failures.iter().any(|it| it.error.may_have_happened())
            }
            Self::Targets { failures, of } => {
                failures.len() < *of || failures.iter().any(|it| it.error.may_have_happened())
            }
            _ => false,
        }
    }
}

fn rejection(status: u16, code: Option<&str>, message: &str) -> String {
    let what = match status {
        400 => "found the request malformed",
        401 => "refused the credentials",
        403 => "does not allow this",
        404 => "has no such operation or address",
        500.. => "failed",
        _ => "rejected the request",
    };
    let code = code.map(|code| format!(" {code}")).unwrap_or_default();
    format!("the service {what} ({status}{code}): {message}")
}

/// The failure of one of several endpoints.
#[derive(Debug)]
#[non_exhaustive]
pub struct EndpointFailure {
    /// Name of the endpoint in the settings.
    pub endpoint: String,
    /// Why it failed.
    pub error: SendError,
}

impl EndpointFailure {
    /// Creates the failure of an endpoint.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, error: SendError) -> Self {
        Self { endpoint: endpoint.into(), error }
    }
}

/// The failure of one of several targets.
#[derive(Debug)]
#[non_exhaustive]
pub struct TargetFailure {
    /// The connection, group or user to which the send failed.
    pub target: Target,
    /// Why it failed.
    pub error: SendError,
}

impl TargetFailure {
    /// Creates the failure of a target.
    #[must_use]
    pub fn new(target: Target, error: SendError) -> Self {
        Self { target, error }
    }
}

fn first(failures: &[TargetFailure]) -> String {
    failures.first().map(|failure| failure.error.to_string()).unwrap_or_default()
}

fn list(failures: &[EndpointFailure]) -> String {
    let each = failures.iter().map(|failure| format!("{}: {}", failure.endpoint, failure.error));
    each.collect::<Vec<_>>().join("; ")
}

/// Why a client invocation returned no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The client is not connected.
    #[error("the client is no longer connected")]
    ConnectionGone,
    /// The client returned no result within this time.
    #[error("the client did not answer within {0:?}")]
    TimedOut(Duration),
    /// The client returned an error. The text comes from the client.
    #[error("the client answered with an error: {0}")]
    Client(String),
    /// The client's result is not of the expected type.
    #[error("the client's answer is not of the expected type")]
    Decode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The invocation could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}
