//! The signature of upstream calls: HMAC-SHA256 of the connection id.
//!
//! Source: Microsoft Learn, "Upstream endpoints in Azure SignalR Service", signature.

use ring::hmac;

use crate::Secret;

const PREFIX: &str = "sha256=";
const LENGTH: usize = 32;

/// The entry of the signature header for one key: `sha256=` and upper-case hexadecimal digits.
///
/// ```
/// let key = hub_core::Secret::from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH");
/// let entry = hub_core::signature::sign(&key, "conn-0001");
/// assert!(entry.starts_with("sha256=B78B1B66"));
/// ```
#[must_use]
pub fn sign(key: &Secret, connection_id: &str) -> String {
    let mut entry = String::with_capacity(PREFIX.len() + 2 * LENGTH);
    entry.push_str(PREFIX);
    for byte in hmac::sign(key.hmac(), connection_id.as_bytes()).as_ref() {
        entry.extend([byte >> 4, byte & 15].map(digit));
    }
    entry
}

/// Whether an entry of the `X-ASRS-Signature` headers was made with one of the keys.
///
/// Every entry is compared with every key in constant time and without an early exit, so that the time
/// does not reveal whether an entry is valid.
#[must_use]
pub fn verify<'a>(
    header_values: impl Iterator<Item = &'a [u8]>,
    connection_id: &str,
    keys: &[Secret],
) -> bool {
    let presented: Vec<[u8; LENGTH]> = header_values
        .flat_map(|line| line.split(|byte| *byte == b','))
        .filter_map(|entry| decode(entry.trim_ascii()))
        .collect();
    let mut valid = false;
    for key in keys {
        for signature in &presented {
            valid |= hmac::verify(key.hmac(), connection_id.as_bytes(), signature).is_ok();
        }
    }
    valid
}

fn decode(entry: &[u8]) -> Option<[u8; LENGTH]> {
    let (prefix, hex) = entry.split_at_checked(PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(PREFIX.as_bytes()) || hex.len() != 2 * LENGTH {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(bytes)
}

/// The hexadecimal digit of a number below 16.
fn digit(nibble: u8) -> char {
    char::from(nibble + if nibble < 10 { b'0' } else { b'A' - 10 })
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: [(&str, &str, &str); 4] = [
        (
            "7aab239577fd4f24bc919802fb629f5f",
            "0f9c97a2f0bf4706afe87a14e0797b11",
            "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561",
        ),
        (
            "a5f2815d0d0c4b00bd27e832432f91ab",
            "0f9c97a2f0bf4706afe87a14e0797b11",
            "sha256=d4aefb65547a00a9881fa8ac8bd03d0faf77af9da5205d45c6e57cbda4377760",
        ),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH",
            "conn-0001",
            "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1",
        ),
        (
            "secondary-key-for-tests-000000000000000000",
            "conn-0001",
            "sha256=04BE5150C28567D5F39FE8B326F43F49220DAED6EFFB73097C14EBEF24EE7097",
        ),
    ];

    fn check(lines: &[&str], connection_id: &str, keys: &[&str]) -> bool {
        let keys: Vec<Secret> = keys.iter().map(|key| Secret::from(*key)).collect();
        verify(lines.iter().map(|line| line.as_bytes()), connection_id, &keys)
    }

    #[test]
    fn the_published_vectors_are_made_and_accepted() {
        for (key, connection_id, expected) in VECTORS {
            let made = sign(&Secret::from(key), connection_id);
            assert!(made.eq_ignore_ascii_case(expected));
            assert!(made[7..].chars().all(|digit| !digit.is_ascii_lowercase()));
            assert!(check(&[expected], connection_id, &[key]));
            assert!(check(&[&expected.to_lowercase()], connection_id, &[key]));
            assert!(check(&[&expected.to_uppercase()], connection_id, &[key]));
        }
    }

    #[test]
    fn one_valid_entry_of_a_bundle_is_enough() {
        let (key, connection_id, good) = VECTORS[2];
        let other = VECTORS[3].2;

        assert!(check(&[&format!("{other}, {good}")], connection_id, &[key]));
        assert!(check(&[&format!("nonsense,{good}")], connection_id, &[key]));
        assert!(check(&[other, good], connection_id, &["unknown", key]));
    }

    #[test]
    fn invalid_input_is_refused() {
        let (key, connection_id, good) = VECTORS[2];

        assert!(!check(&[], connection_id, &[key]));
        assert!(!check(&[""], connection_id, &[key]));
        assert!(!check(&[good], "conn-0002", &[key]));
        assert!(!check(&[good], connection_id, &[]));
        assert!(!check(&[good], connection_id, &["another"]));
        assert!(!check(&[&good[7..]], connection_id, &[key]));
        assert!(!check(&[&good[..good.len() - 1]], connection_id, &[key]));
        assert!(!check(&[&format!("{good}00")], connection_id, &[key]));
        assert!(!check(&["sha256=\u{fc}\u{fc}"], connection_id, &[key]));
    }
}
