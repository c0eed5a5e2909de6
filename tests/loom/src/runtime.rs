//! The runtime of the connections.

/// A handle to the runtime, which always exists.
#[derive(Clone, Debug)]
pub(crate) struct Handle;

impl Handle {
    #[allow(clippy::unnecessary_wraps, reason = "has the signature of the real function")]
    pub(crate) fn try_current() -> Result<Self, std::fmt::Error> {
        Ok(Self)
    }
}
