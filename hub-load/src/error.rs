//! Errors of a run and of single clients.

use std::error::Error;

/// Errors of the load tool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Options contradict each other or are out of range.
    #[error("{0}")]
    Arguments(String),
    /// A URL is invalid.
    #[error("`{0}` is not an http or https URL")]
    Url(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
    /// A connection failed.
    #[error("the connection failed: {0}")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The server closed the connection.
    #[error("{0}")]
    Closed(String),
    /// Unexpected HTTP status.
    #[error("{what} failed with status {status}: {text}")]
    Status {
        /// The request.
        what: &'static str,
        /// Status of the response.
        status: u16,
        /// Start of the body of the response.
        text: String,
    },
    /// The server refused with an error of the protocol.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server violated the protocol.
    #[error("protocol error: {0}")]
    Protocol(#[source] Box<dyn Error + Send + Sync>),
    /// No response in time.
    #[error("{0} timed out")]
    Timeout(&'static str),
}

impl LoadError {
    /// Whether the command line is the cause.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Arguments(_) | Self::Url(_))
    }

    /// The message followed by the chain of causes.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        // The message already contains the first cause.
        let mut source = self.source().and_then(Error::source);
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        text
    }

    pub(crate) fn closed() -> Self {
        Self::Closed("the server closed the connection".to_owned())
    }

    pub(crate) fn connect(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Connect(error.into())
    }

    pub(crate) fn protocol(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Protocol(error.into())
    }
}
