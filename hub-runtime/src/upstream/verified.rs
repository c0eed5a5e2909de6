//! A cache of verified callers: every call of a connection carries the same proofs.

use std::sync::Arc;

use http::HeaderMap;
use hub_core::bounded_map::BoundedMap;
use parking_lot::RwLock;

use super::caller::{Caller, PROOFS, claimed_connection_id};

/// The maximum number of cached connections.
const MAX_CONNECTIONS: usize = 4096;
/// The maximum size of the cached proofs of one caller, in bytes. Longer proofs are not cached, to bound
/// the memory.
const MAX_PROOF_BYTES: usize = 4096;

/// Callers by connection id, with the headers that were checked. Entries stay valid, since neither keys
/// nor options change while an app runs.
#[derive(Default, derive_more::Debug)]
// Omits signatures and seals: they are credentials of their connection.
#[debug("VerifiedCallers")]
pub(crate) struct VerifiedCallers(RwLock<BoundedMap<Arc<str>, Verified, MAX_CONNECTIONS>>);

struct Verified {
    proofs: Box<[u8]>,
    caller: Caller,
}

impl VerifiedCallers {
    /// The caller, if the same proofs were verified before.
    pub(crate) fn get(&self, headers: &HeaderMap) -> Option<Caller> {
        let callers = self.0.read();
        let verified = callers.get(claimed_connection_id(headers)?)?;
        is_same(&verified.proofs, headers).then(|| verified.caller.clone())
    }

    /// Adds a verified caller.
    pub(crate) fn remember(&self, headers: &HeaderMap, caller: &Caller) {
        let mut proofs = Vec::new();
        each_piece(headers, |piece| proofs.extend_from_slice(piece));
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

/// Calls `visit` with the bytes that encode all proofs. The encoding is injective: the number of the header
/// and the length of the value precede each value.
fn each_piece(headers: &HeaderMap, mut visit: impl FnMut(&[u8])) {
    for (number, name) in (0_u8..).zip(&PROOFS) {
        for value in headers.get_all(name) {
            visit(&[number]);
            visit(&(value.len() as u64).to_le_bytes());
            visit(value.as_bytes());
        }
    }
}

/// Compares in constant time: reads both inputs to the end, so that the time does not depend on the position
/// of a difference.
fn is_same(proofs: &[u8], headers: &HeaderMap) -> bool {
    let (mut rest, mut differs) = (proofs, 0);
    each_piece(headers, |piece| {
        let (held, after) = rest.split_at_checked(piece.len()).unwrap_or((&[], rest));
        rest = after;
        differs |= u8::from(held.len() != piece.len());
        differs |= held.iter().zip(piece).fold(0, |differs, (one, other)| differs | (one ^ other));
    });
    differs == 0 && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use hub_core::{
        Secret,
        seal::{self, Identity, SealKey},
        signature,
    };

    use super::*;
    use crate::{
        keys::Keys,
        upstream::caller::{Proof, check_headers},
    };

    const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

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
        PROOFS.into_iter().zip(values).collect()
    }

    fn remembering() -> VerifiedCallers {
        let keys = Keys::new(vec![Secret::from(KEY)], None);
        let caller = check_headers(&genuine(), &keys, Proof::Signature, false).unwrap();
        let known = VerifiedCallers::default();
        assert!(known.get(&genuine()).is_none());
        known.remember(&genuine(), &caller);
        known
    }

    #[test]
    fn identical_proofs_are_not_verified_again() {
        let known = remembering();

        let caller = known.get(&genuine()).unwrap();

        assert_eq!(caller.user_id.as_deref(), Some("ada"));
        assert!(caller.sealed && caller.claims.has("role", "member"));
        known.forget("conn-0001");
        assert!(known.get(&genuine()).is_none());
    }

    #[test]
    fn a_forged_call_after_a_valid_one_is_refused_for_any_changed_byte() {
        let known = remembering();

        for name in &PROOFS {
            let good = genuine()[name].as_bytes().to_vec();
            for at in 0..good.len() {
                let mut forged = good.clone();
                forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
                let mut headers = genuine();
                headers.insert(name, HeaderValue::from_bytes(&forged).unwrap());
                assert!(known.get(&headers).is_none(), "{name} at {at}");
            }
        }
    }

    #[test]
    fn a_call_with_an_added_removed_or_moved_header_is_different() {
        let known = remembering();
        let believed = |headers: &HeaderMap| known.get(headers).is_some();

        for name in &PROOFS {
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

    #[test]
    fn the_number_of_stored_entries_is_limited() {
        let known = remembering();
        let mut caller = known.get(&genuine()).unwrap();

        for number in 0..MAX_CONNECTIONS + 10 {
            caller.connection_id = format!("conn-{number}").into();
            known.remember(&genuine(), &caller);
        }

        assert!(known.0.read().len() <= MAX_CONNECTIONS);
    }
}
