//! The id that a client reads and an operator finds in the log.

use std::fmt;

/// Eight hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorId(u32);

impl ErrorId {
    pub(crate) fn random() -> Self {
        // An id that cannot be drawn must not make the failure worse.
        Self(getrandom::u32().unwrap_or_default())
    }
}

impl fmt::Display for ErrorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}
