//! The header names of the last requests.

use std::cell::RefCell;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The largest number of headers of a request.
pub(super) const MAX_HEADERS: usize = 64;
/// The number of requests with different names that a thread keeps.
const MAX_KEPT: usize = 4;
/// Longer names are not kept.
const MAX_KEPT_NAME: usize = 64;
/// One character for each position of a header.
const POSITIONS: &str = "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmno";

thread_local! {
    /// Most requests have the names of an earlier one in the same order. These need no look-up, no allocation and no hash
    /// for each name.
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { requests: Vec::new(), next: 0 }) };
}

struct Kept {
    requests: Vec<Names>,
    /// The place of the next names when all places are taken.
    next: usize,
}

/// The names of a request.
struct Names {
    /// In the order and the spelling of the request.
    spelled: Vec<Box<[u8]>>,
    map: HeaderMap,
}

/// A map with these names. The value of each is its position, for [`position`]. `None` if a name is invalid or repeated.
pub(super) fn map<'a>(names: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Option<HeaderMap> {
    KEPT.with_borrow_mut(|kept| {
        let is_kept = |of: &&Names| {
            of.spelled.len() == names.len()
                && of.spelled.iter().zip(names.clone()).all(|(spelled, name)| **spelled == *name)
        };
        if let Some(known) = kept.requests.iter().find(is_kept) {
            return Some(known.map.clone());
        }
        let mut map = HeaderMap::with_capacity(names.len());
        for (at, name) in names.clone().enumerate() {
            let value = HeaderValue::from_static(POSITIONS.get(at..=at)?);
            if map.insert(HeaderName::from_bytes(name).ok()?, value).is_some() {
                return None;
            }
        }
        if names.clone().all(|name| name.len() <= MAX_KEPT_NAME) {
            kept.keep(Names { spelled: names.map(Into::into).collect(), map: map.clone() });
        }
        Some(map)
    })
}

/// The position of the header that has this value in a [`map`].
pub(super) fn position(value: &HeaderValue) -> Option<usize> {
    value.as_bytes().first().map(|character| usize::from(character.wrapping_sub(b'0')))
}

impl Kept {
    fn keep(&mut self, names: Names) {
        match self.requests.get_mut(self.next) {
            Some(oldest) => *oldest = names,
            None => self.requests.push(names),
        }
        self.next = (self.next + 1) % MAX_KEPT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(names: &[&str]) -> Option<Vec<(String, usize)>> {
        let map = map(names.iter().map(|name| name.as_bytes()))?;
        let mut found: Vec<_> =
            map.iter().map(|(name, value)| (name.to_string(), position(value).unwrap())).collect();
        found.sort_by_key(|(_, at)| *at);
        Some(found)
    }

    #[test]
    fn each_name_of_an_earlier_request_has_its_position() {
        let many: Vec<String> = (0..MAX_HEADERS).map(|at| format!("x-{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let requests: [&[&str]; 7] = [
            &[],
            &["host", "x-a"],
            &["x-a", "host"],
            &["Host", "X-A"],
            &["host", "x-a", "x-b"],
            &["host", "x-aa"],
            &many,
        ];
        for _ in 0..2 {
            for names in requests {
                for _ in 0..2 {
                    let expected: Vec<_> =
                        names.iter().map(|name| name.to_lowercase()).zip(0..).collect();
                    assert_eq!(positions(names), Some(expected));
                }
            }
        }

        KEPT.with_borrow(|kept| assert_eq!(kept.requests.len(), MAX_KEPT));
    }

    #[test]
    fn repeated_and_invalid_names_and_too_many_have_no_map() {
        let many: Vec<String> = (0..=MAX_HEADERS).map(|at| format!("x-{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for names in [&["x-a", "X-A"][..], &["x a"], &[""], &many] {
            assert_eq!(positions(names), None);
        }
        KEPT.with_borrow(|kept| assert!(kept.requests.is_empty()));
    }

    #[test]
    fn long_names_are_not_kept() {
        let (long, longer) = ("x".repeat(MAX_KEPT_NAME), "x".repeat(MAX_KEPT_NAME + 1));

        assert!(positions(&[&longer]).is_some());
        KEPT.with_borrow(|kept| assert!(kept.requests.is_empty()));
        assert!(positions(&[&long]).is_some());
        KEPT.with_borrow(|kept| assert_eq!(kept.requests.len(), 1));
    }
}
