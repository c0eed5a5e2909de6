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

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of any length are allowed: the test cases 1 and 6 of RFC 4231, and the empty key.
    #[test]
    fn a_key_may_be_longer_than_a_block_of_the_hash() {
        let long = "Test Using Larger Than Block-Size Key - Hash Key First";
        for (key, data, expected) in [
            (
                vec![0x0b; 20],
                "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                vec![0xaa; 131],
                long,
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (Vec::new(), "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        ] {
            let tag = hmac::sign(&keyed(&key), data.as_bytes());

            let tag: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(tag, expected, "{} bytes", key.len());
        }
    }
}
