//! The error id, which relates the error text of a client to the log.

use std::fmt;

/// Eight hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorId(u32);

impl ErrorId {
    pub(crate) fn random() -> Self {
        // A failing random number generator must not hide the original error.
        Self(getrandom::u32().unwrap_or_default())
    }
}

impl fmt::Display for ErrorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}
