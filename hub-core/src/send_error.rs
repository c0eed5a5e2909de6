//! Why something did not reach a client.

use std::time::Duration;

use crate::{names::NameError, outbound::Target};

/// Why the service did not do what was asked. Each cause is its own variant, since what helps differs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A hub, group, user, connection or event name cannot go on the wire. Nothing was sent.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An argument could not be serialised. Nothing was sent.
    #[error("an argument could not be serialised")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request is larger than the service takes. Nothing was sent.
    #[error("the message is {size} bytes, more than the {limit} that the service takes")]
    TooLarge {
        /// The size of the request body in bytes.
        size: usize,
        /// The most that the service takes, in bytes.
        limit: usize,
    },
    /// Names and excluded connections are longer than the service takes. Nothing was sent.
    #[error(
        "names and excluded connections make a request head of {size} bytes, more than the {limit} that the service takes"
    )]
    HeadTooLarge {
        /// The size of the request line and headers in bytes.
        size: usize,
        /// The most that the service takes, in bytes.
        limit: usize,
    },
    /// No token could be made for the request. Nothing was sent.
    #[error("no token could be made for the service")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service could not be reached: no connection, so nothing was sent.
    #[error("the service could not be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke before the answer. The service may have done what was asked.
    #[error("the connection to the service broke before its answer")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service did not answer in time. It may have done what was asked.
    #[error("the service did not answer within {0:?}")]
    TimedOut(Duration),
    /// The service found the request malformed (400).
    #[error("the service found the request malformed: {0}")]
    Invalid(String),
    /// The service refused the key or the token (401): key, endpoint or clock are wrong.
    #[error("the service refused the credentials: {0}")]
    Unauthorized(String),
    /// The credentials are good and may not do this (403): a role or a network rule.
    #[error("the service does not allow this: {0}")]
    Forbidden(String),
    /// The service does not know the operation or the address (404): the endpoint is wrong, or too old.
    #[error("the service knows no such thing: {0}")]
    NotFound(String),
    /// The connection is not there any more.
    #[error("the connection does not exist any more")]
    ConnectionGone,
    /// The service asks to slow down, and still did after every retry.
    #[error("the service is throttling")]
    Throttled {
        /// When to come back, if the service said.
        retry_after: Option<Duration>,
    },
    /// The service failed (5xx). It may have done what was asked.
    #[error("the service failed with {status}: {text}")]
    ServiceFailed {
        /// The HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// The service answered with another status.
    #[error("the service answered {status}: {text}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// The answer is not what the service's API promises.
    #[error("the answer of the service is malformed")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Some endpoints of several did not do what was asked; the others did.
    #[error("{} of {of} endpoints failed: {}", failures.len(), list(failures))]
    Endpoints {
        /// Each failure, in the order of the endpoints.
        failures: Vec<EndpointFailure>,
        /// How many endpoints were asked.
        of: usize,
    },
    /// Some of several targets were not sent to; the others were. The text names none of them, since it
    /// is for the log.
    #[error("{} of {of} targets were not sent to, the first since {}", failures.len(), first(failures))]
    Targets {
        /// Each failure: those that may be tried again.
        failures: Vec<TargetFailure>,
        /// How many targets were asked for.
        of: usize,
    },
    /// No endpoint has this name. Nothing was sent.
    #[error("no endpoint is called {name}; there are: {}", known.join(", "))]
    UnknownEndpoint {
        /// The name that was asked for.
        name: String,
        /// The endpoints that there are.
        known: Vec<String>,
    },
    /// This version has no request for the operation.
    #[error("this operation has no REST call yet")]
    Unsupported,
}

impl SendError {
    /// Whether the service may have done what was asked all the same. Where this is `false`, asking
    /// again does nothing twice.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Interrupted(_) | Self::TimedOut(_) | Self::ServiceFailed { .. } => true,
            // Who waited in front of the service gave up.
            Self::Status { status, .. } => *status == 408,
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

/// What one of several endpoints did not do.
#[derive(Debug)]
#[non_exhaustive]
pub struct EndpointFailure {
    /// The endpoint's name in the settings.
    pub endpoint: String,
    /// Why.
    pub error: SendError,
}

impl EndpointFailure {
    /// The failure of an endpoint.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, error: SendError) -> Self {
        Self { endpoint: endpoint.into(), error }
    }
}

/// One of several targets that was not sent to.
#[derive(Debug)]
#[non_exhaustive]
pub struct TargetFailure {
    /// A single connection, group or user.
    pub target: Target,
    /// Why.
    pub error: SendError,
}

impl TargetFailure {
    /// The failure of a target.
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

/// Why a client result did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The client left, or was never there.
    #[error("the client is not connected any more")]
    ConnectionGone,
    /// The client did not answer in time.
    #[error("the client did not answer within {0:?}")]
    TimedOut(Duration),
    /// The client answered with an error; its text comes from the client.
    #[error("the client answered with an error: {0}")]
    Client(String),
    /// The client's answer is not of the expected type.
    #[error("the client's answer is not of the expected type")]
    Decode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The question could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}
