//! Unguessable ids and keys, from the random generator of the operating system.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hub_core::Secret;

/// 16 random bytes. Their text has 22 characters of `[A-Za-z0-9_-]`, which clients write into URLs without escapes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id([u8; 16]);

// Omits the bytes: a connection token is a secret.
impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Id")
    }
}

impl Id {
    pub(crate) fn random() -> Self {
        Self(bytes())
    }

    /// Two ids, from one call of the operating system.
    pub(crate) fn pair() -> [Self; 2] {
        let bytes = bytes::<32>();
        let [mut one, mut other] = [[0; 16]; 2];
        one.copy_from_slice(&bytes[..16]);
        other.copy_from_slice(&bytes[16..]);
        [Self(one), Self(other)]
    }

    /// The id with this text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 16];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut id).ok()?;
        (length == id.len()).then_some(Self(id))
    }

    pub(crate) fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
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
    use super::*;

    #[test]
    fn ids_have_22_url_safe_characters() {
        let id = Id::random().text();

        assert_eq!(id.len(), 22);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
        assert_ne!(id, Id::random().text());
    }

    #[test]
    fn the_ids_of_a_pair_differ() {
        let [one, other] = Id::pair();

        assert_ne!(one, other);
        assert!([one, other].iter().all(|id| id.0[..8] != id.0[8..]));
    }

    #[test]
    fn an_id_has_one_text() {
        let id = Id([0xFF; 16]);
        let text = "_____________________w";

        assert_eq!((id.text().as_str(), Id::parse(text)), (text, Some(id)));
        for other in [
            "",
            "_",
            "_____________________w==",
            "_____________________x",
            " _____________________w",
        ] {
            assert_eq!(Id::parse(other), None, "{other}");
        }
        assert_eq!(Id::parse(&"_".repeat(23)), None);
        assert_eq!(Id::parse(&"_".repeat(1000)), None);
    }
}
