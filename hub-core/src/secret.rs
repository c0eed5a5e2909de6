//! Secret texts that must not be logged.

/// An access key or another secret text. Its `Debug` output contains only the name of the type.
///
/// ```
/// let key = hub_core::Secret::from("do not log me");
/// assert_eq!(format!("{key:?}"), "Secret");
/// assert_eq!(key.expose(), "do not log me");
/// ```
#[derive(Clone, derive_more::Debug)]
#[debug("Secret")]
pub struct Secret(String);

impl Secret {
    /// The secret text. Do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
