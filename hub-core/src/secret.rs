//! Secret texts that must not be logged.

use std::{fmt, sync::OnceLock};

use ring::hmac;

/// An access key or another secret text. Its `Debug` output contains only the name of the type.
///
/// ```
/// let key = hub_core::Secret::from("do not log me");
/// assert_eq!(format!("{key:?}"), "Secret");
/// assert_eq!(key.expose(), "do not log me");
/// ```
#[derive(Clone)]
pub struct Secret {
    text: String,
    /// Made on first use. Boxed, because most secrets are never keys of HMAC.
    hmac: OnceLock<Box<hmac::Key>>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// The secret text. Do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The key of HMAC-SHA256. The two blocks of the key are hashed once and not for each message.
    pub(crate) fn hmac(&self) -> &hmac::Key {
        self.hmac.get_or_init(|| Box::new(keyed(self.text.as_bytes())))
    }
}

/// A key of HMAC-SHA256.
pub(crate) fn keyed(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self { text, hmac: OnceLock::new() }
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}
