//! Why a run cannot begin, or what went wrong for one client.

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
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No connection, or it broke.
    #[error("the connection failed: {0}")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
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
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing came.
    #[error("{0} timed out")]
    TimedOut(&'static str),
}

impl LoadError {
    pub(super) fn no_service() -> Self {
        Self::Arguments("this scenario needs the --connection-string of the service".to_owned())
    }

    pub(super) fn connect(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Connect(error.into())
    }

    pub(super) fn protocol(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Protocol(error.into())
    }
}
