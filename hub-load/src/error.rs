//! Why a run cannot begin, or what went wrong for one client.

use std::error::Error;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The options do not fit together.
    #[error("{0}")]
    Arguments(String),
    /// A URL cannot be used.
    #[error("`{0}` is not a usable URL")]
    Url(String),
    /// No certificates, so no TLS.
    #[error("TLS cannot be set up")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
    /// No connection, or it broke.
    #[error("the connection failed: {0}")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// The server ended the connection.
    #[error("{0}")]
    Closed(String),
    /// Another status than expected.
    #[error("{what} was answered with status {status}: {text}")]
    Status {
        /// What was asked.
        what: &'static str,
        /// The status.
        status: u16,
        /// What the answer says.
        text: String,
    },
    /// The server refused in the words of the protocol.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server does not speak the protocol.
    #[error("not understood: {0}")]
    Protocol(#[source] Box<dyn Error + Send + Sync>),
    /// Nothing came.
    #[error("{0} timed out")]
    TimedOut(&'static str),
}

impl LoadError {
    /// Whether the command line is wrong, not the run.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Arguments(_) | Self::Url(_))
    }

    /// The text with all causes: the last one is the operating system's.
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

    pub(crate) fn no_service() -> Self {
        Self::Arguments("this scenario needs the --connection-string of the service".to_owned())
    }

    pub(crate) fn connect(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Connect(error.into())
    }

    pub(crate) fn protocol(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Protocol(error.into())
    }
}
