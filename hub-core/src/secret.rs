//! Secret texts that must not be logged.

use std::sync::OnceLock;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// An access key or another secret text. Its `Debug` output contains only the name of the type.
///
/// ```
/// let key = hub_core::Secret::from("do not log me");
/// assert_eq!(format!("{key:?}"), "Secret");
/// assert_eq!(key.expose(), "do not log me");
/// ```
#[derive(Clone, derive_more::Debug)]
#[debug("Secret")]
pub struct Secret {
    text: String,
    /// Made on first use. Boxed, because most secrets are never keys of HMAC.
    hmac: OnceLock<Box<Hmac<Sha256>>>,
}

impl Secret {
    /// The secret text. Do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// HMAC-SHA256 with this key. The two blocks of the key are hashed once and not for each message.
    pub(crate) fn hmac(&self) -> Hmac<Sha256> {
        (**self.hmac.get_or_init(|| Box::new(keyed(self.text.as_bytes())))).clone()
    }
}

/// HMAC-SHA256 with a key.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
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
