//! Unguessable ids and keys, from the random generator of the operating system.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hub_core::Secret;

/// 16 random bytes in 22 characters of `[A-Za-z0-9_-]`. Clients write the text into URLs without escapes.
pub(crate) fn id() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>())
}

/// A random access key of 33 bytes, in 44 characters.
pub(crate) fn key() -> Secret {
    Secret::from(URL_SAFE_NO_PAD.encode(bytes::<33>()))
}

#[expect(clippy::expect_used, reason = "ids and keys need random bytes")]
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_have_22_url_safe_characters() {
        let id = super::id();

        assert_eq!(id.len(), 22);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
        assert_ne!(id, super::id());
    }
}
