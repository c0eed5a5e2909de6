//! A cache of verified callers: every call of a connection carries the same proofs.

use std::{fmt, sync::Arc};

use http::HeaderName;
use hub_core::{
    bounded_map::BoundedMap,
    upstream::{CONNECTION_ID, HUB, SIGNATURE, USER_CLAIMS, USER_ID},
};
use parking_lot::RwLock;

use super::{
    caller::Caller,
    header_lines::{HeaderLines, Lines},
};

/// The maximum number of cached connections.
const MAX_CONNECTIONS: usize = 4096;
/// The maximum size of the cached proofs of one caller, in bytes. Longer proofs are not cached, to bound
/// the memory.
const MAX_PROOF_BYTES: usize = 4096;

/// Callers by connection id, with the headers that were checked. Entries stay valid, since neither keys
/// nor options change while an app runs.
#[derive(Default)]
pub(crate) struct VerifiedCallers(RwLock<BoundedMap<Arc<str>, Verified, MAX_CONNECTIONS>>);

// Omits signatures and seals: they are credentials of their connection.
impl fmt::Debug for VerifiedCallers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedCallers")
    }
}

struct Verified {
    proofs: Box<[u8]>,
    caller: Caller,
}

impl VerifiedCallers {
    /// The caller, if the same proofs were verified before.
    pub(super) fn get(&self, lines: &HeaderLines<'_>) -> Option<Caller> {
        let callers = self.0.read();
        let verified = callers.get(lines.connection_id.first_text()?)?;
        is_same(&verified.proofs, lines).then(|| verified.caller.clone())
    }

    /// Adds a verified caller.
    pub(super) fn remember(&self, lines: &HeaderLines<'_>, caller: &Caller) {
        let mut proofs = Vec::new();
        each_piece(lines, |piece| proofs.extend_from_slice(piece));
        if proofs.len() > MAX_PROOF_BYTES {
            return;
        }
        let entry = Verified { proofs: proofs.into(), caller: caller.clone() };
        self.0.write().insert(caller.connection_id.clone(), entry);
    }

    /// Removes a connection that has ended.
    pub(crate) fn forget(&self, connection_id: &str) {
        // Most ended connections were never added, so check with the shared lock first.
        let is_cached = self.0.read().get(connection_id).is_some();
        if is_cached {
            self.0.write().remove(connection_id);
        }
    }
}

/// A header and its lines.
type Proof = (HeaderName, for<'a> fn(&HeaderLines<'a>) -> Lines<'a>);

/// The headers that the check of a signature and a seal reads.
static PROOFS: [Proof; 5] = [
    (CONNECTION_ID, |lines| lines.connection_id),
    (SIGNATURE, |lines| lines.signature),
    (HUB, |lines| lines.hub),
    (USER_ID, |lines| lines.user_id),
    (USER_CLAIMS, |lines| lines.user_claims),
];

/// Calls `visit` with the bytes that encode all proofs. The encoding is injective: the number of the header
/// and the length of the value precede each value.
fn each_piece(lines: &HeaderLines<'_>, mut visit: impl FnMut(&[u8])) {
    let mut value = |number: u64, value: &[u8]| {
        visit(&(number << 56 | value.len() as u64).to_le_bytes());
        visit(value);
    };
    for (number, (name, find)) in (0..).zip(&PROOFS) {
        let found = find(lines);
        if let Some(only) = found.only() {
            value(number, only.as_bytes());
        } else if found.exist() {
            lines.map.get_all(name).iter().for_each(|line| value(number, line.as_bytes()));
        }
    }
}

/// Compares in constant time: reads both inputs to the end, so that the time does not depend on the position
/// of a difference.
fn is_same(proofs: &[u8], lines: &HeaderLines<'_>) -> bool {
    let (mut rest, mut differs) = (proofs, 0);
    each_piece(lines, |piece| {
        let (held, after) = rest.split_at_checked(piece.len()).unwrap_or((&[], rest));
        rest = after;
        differs |= u64::from(held.len() != piece.len()) | difference(held, piece);
    });
    differs == 0 && rest.is_empty()
}

/// The bits in which two values of the same length differ. Eight bytes at a time, since a seal is long.
fn difference(one: &[u8], other: &[u8]) -> u64 {
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks(), other.as_chunks());
    let words = ones
        .iter()
        .zip(others)
        .fold(0, |bits, (one, other)| bits | u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other));
    one_rest.iter().zip(other_rest).fold(words, |bits, (one, other)| bits | u64::from(one ^ other))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use hub_core::{
        Secret,
        seal::{self, Identity, SealKey},
        signature,
    };

    use super::*;
    use crate::{
        keys::Keys,
        upstream::caller::{self, check_headers},
    };

    const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

    fn get(known: &VerifiedCallers, headers: &HeaderMap) -> Option<Caller> {
        known.get(&HeaderLines::of(headers))
    }

    fn genuine() -> HeaderMap {
        let key = Secret::from(KEY);
        let ada = Identity {
            hub: "chat".to_owned(),
            user_id: Some("ada".to_owned()),
            issued_at: 0,
            claims: [("role".to_owned(), "member".to_owned())].into_iter().collect(),
        };
        let claims = format!("asrs.s.uid: ada, shub: {}", seal::seal(&ada, &SealKey::derive(&key)));
        let values = [
            "conn-0001".to_owned(),
            signature::sign(&key, "conn-0001"),
            "chat".to_owned(),
            "ada".to_owned(),
            claims,
        ];
        let values = values.map(|value| HeaderValue::from_str(&value).unwrap());
        PROOFS.iter().map(|(name, _)| name.clone()).zip(values).collect()
    }

    fn remembering() -> VerifiedCallers {
        let keys = Keys::new(vec![Secret::from(KEY)], None);
        let caller = check_headers(&genuine(), &keys, caller::Proof::Signature, false).unwrap();
        let known = VerifiedCallers::default();
        assert!(get(&known, &genuine()).is_none());
        known.remember(&HeaderLines::of(&genuine()), &caller);
        known
    }

    #[test]
    fn identical_proofs_are_not_verified_again() {
        let known = remembering();

        let caller = get(&known, &genuine()).unwrap();

        assert_eq!(caller.user_id.as_deref(), Some("ada"));
        assert!(caller.sealed && caller.claims.has("role", "member"));
        known.forget("conn-0001");
        assert!(get(&known, &genuine()).is_none());
    }

    #[test]
    fn a_forged_call_after_a_valid_one_is_refused_for_any_changed_byte() {
        let known = remembering();

        for (name, _) in &PROOFS {
            let good = genuine()[name].as_bytes().to_vec();
            for at in 0..good.len() {
                let mut forged = good.clone();
                forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
                let mut headers = genuine();
                headers.insert(name, HeaderValue::from_bytes(&forged).unwrap());
                assert!(get(&known, &headers).is_none(), "{name} at {at}");
            }
        }
    }

    #[test]
    fn a_call_with_an_added_removed_or_moved_header_is_different() {
        let known = remembering();
        let believed = |headers: &HeaderMap| get(&known, headers).is_some();

        for (name, _) in &PROOFS {
            let mut without = genuine();
            without.remove(name);
            assert!(!believed(&without), "without {name}");
            let mut twice = genuine();
            twice.append(name, genuine()[name].clone());
            assert!(!believed(&twice), "{name} twice");
        }
        let mut moved = genuine();
        let user = moved.remove("x-asrs-user-id").unwrap();
        moved.append("x-asrs-hub", user);
        assert!(!believed(&moved));
        let mut joined = genuine();
        joined.insert("x-asrs-hub", HeaderValue::from_static("chatada"));
        joined.insert("x-asrs-user-id", HeaderValue::from_static(""));
        assert!(!believed(&joined));
    }

    /// The service may send the claims in several lines.
    #[test]
    fn each_line_of_a_repeated_header_is_compared() {
        let lines = |values: &[&str]| {
            let mut headers = genuine();
            headers.remove(&USER_CLAIMS);
            for value in values {
                headers.append(&USER_CLAIMS, HeaderValue::from_str(value).unwrap());
            }
            headers
        };
        let known = remembering();
        let caller = get(&known, &genuine()).unwrap();
        known.remember(&HeaderLines::of(&lines(&["role: a", "role: bc"])), &caller);

        assert!(get(&known, &lines(&["role: a", "role: bc"])).is_some());
        for other in [
            &["role: x", "role: bc"][..],
            &["role: a", "role: bx"],
            &["role: a"],
            &["role: bc"],
            &["role: bc", "role: a"],
            &["role: ab", "role: c"],
            &["role: arole: bc"],
            &["role: a", "role: bc", "role: bc"],
            &[],
        ] {
            assert!(get(&known, &lines(other)).is_none(), "{other:?}");
        }
    }

    #[test]
    fn the_number_of_stored_entries_is_limited() {
        let known = remembering();
        let mut caller = get(&known, &genuine()).unwrap();

        for number in 0..MAX_CONNECTIONS + 10 {
            caller.connection_id = format!("conn-{number}").into();
            known.remember(&HeaderLines::of(&genuine()), &caller);
        }

        assert!(known.0.read().len() <= MAX_CONNECTIONS);
    }
}
