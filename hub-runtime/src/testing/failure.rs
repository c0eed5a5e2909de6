//! The error text that a test client received.

use std::fmt;

/// The text of a rejection or an error, as the client receives it. Compares with strings directly.
#[derive(Clone, PartialEq, Eq)]
pub struct TestFailure {
    text: String,
    status: Option<u16>,
}

impl fmt::Debug for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl TestFailure {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), status: None }
    }

    /// A response of the app or the service: status and text.
    pub(crate) fn answered(status: http::StatusCode, body: &[u8]) -> Self {
        let text = format!("{}: {}", status.as_u16(), String::from_utf8_lossy(body));
        Self { text, status: Some(status.as_u16()) }
    }

    /// A response of the app in JSON: status, code and text.
    pub(crate) fn refused(status: http::StatusCode, body: &[u8]) -> Self {
        #[derive(serde::Deserialize)]
        struct Refusal {
            error: String,
            message: String,
        }
        match serde_json::from_slice(body) {
            Ok(Refusal { error, message }) => {
                Self::answered(status, format!("{error}: {message}").as_bytes())
            }
            Err(_) => Self::answered(status, body),
        }
    }

    /// The HTTP status, if a request to negotiate or to refresh was rejected.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq<&str> for TestFailure {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl PartialEq<str> for TestFailure {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for TestFailure {}
