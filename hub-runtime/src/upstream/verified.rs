//! A cache of verified callers: every call of a connection carries the same proofs.

use std::{
    collections::HashMap,
    fmt,
    sync::{PoisonError, RwLock},
};

use http::HeaderMap;

use super::request::{self, Caller, PROOFS};

/// How many connections are remembered.
const KEPT: usize = 4096;
/// Longer proofs are checked each time: they are not worth the memory.
const LONGEST: usize = 4096;

/// What was checked, byte for byte, and what it says. Neither keys nor options change while an app
/// runs.
#[derive(Default)]
pub(crate) struct VerifiedCallers(RwLock<HashMap<String, Verified>>);

struct Verified {
    proofs: Box<[u8]>,
    caller: Caller,
}

impl fmt::Debug for VerifiedCallers {
    /// Signatures and seals are as good as keys for their connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCallers").finish_non_exhaustive()
    }
}

impl VerifiedCallers {
    /// Who calls, if the very same proofs were checked before.
    pub(crate) fn get(&self, headers: &HeaderMap) -> Option<Caller> {
        let id = request::connection_id(headers)?;
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(id).filter(|known| is_same(&known.proofs, headers)).map(|it| it.caller.clone())
    }

    /// Remembers a caller that was just checked. Idle clients make no calls, and are not kept.
    pub(crate) fn remember(&self, headers: &HeaderMap, caller: &Caller) {
        let mut proofs = Vec::new();
        each_piece(headers, |piece| proofs.extend_from_slice(piece));
        if proofs.len() > LONGEST {
            return;
        }
        let entry = Verified { proofs: proofs.into(), caller: caller.clone() };
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= KEPT {
            held.clear();
        }
        held.insert(caller.connection_id.clone(), entry);
    }

    /// The connection has ended.
    pub(crate) fn forget(&self, connection_id: &str) {
        let is_held =
            self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(connection_id);
        if is_held {
            self.0.write().unwrap_or_else(PoisonError::into_inner).remove(connection_id);
        }
    }
}

/// Tells all that the checks read, so that different headers never tell the same bytes: each value
/// has the number of its header and its length before it.
fn each_piece(headers: &HeaderMap, mut tell: impl FnMut(&[u8])) {
    for (number, name) in (0_u8..).zip(&PROOFS) {
        for value in headers.get_all(name) {
            tell(&[number]);
            tell(&(value.len() as u64).to_le_bytes());
            tell(value.as_bytes());
        }
    }
}

/// Reads both to the end, whatever differs: how long it takes says nothing about a signature.
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
    use crate::{keys::Keys, upstream::request::Proof};

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
        let caller = request::caller(&genuine(), &keys, Proof::Signature, false).unwrap();
        let known = VerifiedCallers::default();
        assert!(known.get(&genuine()).is_none());
        known.remember(&genuine(), &caller);
        known
    }

    #[test]
    fn the_very_same_proofs_need_no_second_check() {
        let known = remembering();

        let caller = known.get(&genuine()).unwrap();

        assert_eq!(caller.user_id.as_deref(), Some("ada"));
        assert!(caller.sealed && caller.claims.has("role", "member"));
        known.forget("conn-0001");
        assert!(known.get(&genuine()).is_none());
    }

    #[test]
    fn a_forged_call_after_a_good_one_is_refused_whichever_byte_differs() {
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
    fn a_call_with_a_header_more_less_or_elsewhere_is_not_the_same() {
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
    fn so_many_are_kept_and_no_more() {
        let known = remembering();
        let mut caller = known.get(&genuine()).unwrap();

        for number in 0..KEPT + 10 {
            caller.connection_id = format!("conn-{number}");
            known.remember(&genuine(), &caller);
        }

        assert!(known.0.read().unwrap().len() <= KEPT);
    }
}
