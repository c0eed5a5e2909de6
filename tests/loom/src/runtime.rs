//! The runtime of the connections.

/// A handle to the runtime, which always exists.
#[derive(Clone, Debug)]
pub(crate) struct Handle;

impl Handle {
    #[allow(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(crate) fn try_current() -> Result<Self, std::fmt::Error> {
        Ok(Self)
    }
}
