//! The rule for every secret that callers must prove: access keys, previous access keys and the code of
//! upstream calls.

use std::net::IpAddr;

use crate::{Secret, client_access::EMULATOR_KEY};

/// The fewest bytes of a secret that others than this machine may try to guess.
const MIN_BYTES: usize = 16;
/// Below the size of a key for HMAC-SHA256 (RFC 7518 §3.2), a secret is logged as weak.
const ADVISED_BYTES: usize = 32;

/// From where callers can try to guess a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// From this machine.
    Loopback,
    /// From other machines.
    Beyond,
}

impl Reach {
    /// The reach of a listener at this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_loopback() { Self::Loopback } else { Self::Beyond }
    }
}

/// A weakness of a secret. The texts follow its name, and contain no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Empty or white space.
    #[error("is empty, so every caller knows it")]
    Empty,
    /// The key of Microsoft's emulator.
    #[error("is the well-known key of the emulator, which is public")]
    WellKnown,
    /// Short enough to be guessed.
    #[error(
        "has fewer than {MIN_BYTES} bytes and can be guessed: create one with `openssl rand -base64 32`"
    )]
    Short,
    /// Shorter than a key for HMAC-SHA256 should be.
    #[error(
        "has fewer than {ADVISED_BYTES} bytes (RFC 7518, section 3.2): create one with `openssl rand -base64 32`"
    )]
    BelowAdvised,
}

/// What the rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The secret is used.
    Accepted,
    /// The secret is used, with a warning in the log.
    Warned(Weakness),
    /// The secret must not be used.
    Refused(Weakness),
}

/// Judges a secret that callers from `reach` must prove.
#[must_use]
pub fn judge(secret: &Secret, reach: Reach) -> Verdict {
    let text = secret.expose().trim();
    match (text.len(), reach) {
        (0, _) => Verdict::Refused(Weakness::Empty),
        (_, Reach::Beyond) if text == EMULATOR_KEY => Verdict::Refused(Weakness::WellKnown),
        (..MIN_BYTES, Reach::Beyond) => Verdict::Refused(Weakness::Short),
        (..MIN_BYTES, Reach::Loopback) => Verdict::Warned(Weakness::Short),
        (..ADVISED_BYTES, Reach::Beyond) => Verdict::Warned(Weakness::BelowAdvised),
        (ADVISED_BYTES.., _) | (_, Reach::Loopback) => Verdict::Accepted,
    }
}

/// The fewest characters of a token of the inspector.
const MIN_TOKEN_CHARS: usize = 16;

/// Why a text cannot be the token of the inspector, if it cannot. The token is a part of URLs.
#[must_use]
pub fn token_problem(token: &str) -> Option<&'static str> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_' | '~');
    if token.chars().count() < MIN_TOKEN_CHARS {
        return Some("has fewer than 16 characters");
    }
    let is_plain = token.chars().all(is_plain);
    (!is_plain).then_some("must consist of letters, digits and the characters - . _ ~")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(text: &str) -> [Verdict; 2] {
        [Reach::Loopback, Reach::Beyond].map(|reach| judge(&Secret::from(text), reach))
    }

    #[test]
    fn a_short_secret_is_a_warning_on_loopback_and_refused_beyond() {
        let (warned, refused) =
            (Verdict::Warned(Weakness::Short), Verdict::Refused(Weakness::Short));

        assert_eq!(verdicts("1"), [warned, refused]);
        assert_eq!(verdicts(&"k".repeat(15)), [warned, refused]);
        // White space around a secret does not lengthen it.
        assert_eq!(verdicts(&format!("  {}  ", "k".repeat(15))), [warned, refused]);
        let advised = Verdict::Warned(Weakness::BelowAdvised);
        assert_eq!(verdicts(&"k".repeat(16)), [Verdict::Accepted, advised]);
        assert_eq!(verdicts(&"k".repeat(31)), [Verdict::Accepted, advised]);
        assert_eq!(verdicts(&"k".repeat(32)), [Verdict::Accepted; 2]);
    }

    #[test]
    fn an_empty_secret_is_refused_everywhere() {
        for empty in ["", " \t"] {
            assert_eq!(verdicts(empty), [Verdict::Refused(Weakness::Empty); 2]);
        }
    }

    #[test]
    fn the_well_known_key_is_for_loopback() {
        let refused = Verdict::Refused(Weakness::WellKnown);
        assert_eq!(verdicts(EMULATOR_KEY), [Verdict::Accepted, refused]);
    }

    #[test]
    fn only_loopback_addresses_are_loopback() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(Reach::of(address.parse().unwrap()), Reach::Loopback);
        }
        for address in ["0.0.0.0", "::", "192.168.0.1", "2001:db8::1"] {
            assert_eq!(Reach::of(address.parse().unwrap()), Reach::Beyond);
        }
    }
}
