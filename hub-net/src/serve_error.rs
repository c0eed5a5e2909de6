//! Why a server ended, for the `main` of a program.

use std::{error::Error, fmt, io};

/// Why a server cannot start, or why it stopped. `Debug` writes the same text as `Display`, so that `main` can
/// return the error: [`io::Error`] would show its fields instead.
#[derive(Clone, PartialEq, Eq)]
pub struct ServeError {
    kind: io::ErrorKind,
    text: String,
}

impl ServeError {
    /// An error with a text for the operator.
    #[must_use]
    pub fn new(kind: io::ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ServeError {}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

impl From<ServeError> for io::Error {
    fn from(error: ServeError) -> Self {
        Self::new(error.kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_prints_the_text_of_an_error() {
        let error = ServeError::from(io::Error::new(io::ErrorKind::AddrInUse, "port 80 is in use"));

        assert_eq!(format!("{error:?}"), "port 80 is in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(io::Error::from(error).to_string(), "port 80 is in use");
    }
}
