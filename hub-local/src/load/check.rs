//! Reading messages instead of counting them.

use std::{borrow::Cow, collections::BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::frames::RECORD_SEPARATOR;

/// A hub message of a server.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(rename = "type")]
    pub(super) kind: u8,
    #[serde(borrow)]
    pub(super) invocation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) target: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) arguments: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<Cow<'a, str>>,
}

/// Cuts records out of payload and reads them.
#[derive(Debug, Default)]
pub(super) struct Records {
    begun: Vec<u8>,
}

impl Records {
    /// Tells `each` every whole record; `None` is one that cannot be read.
    pub(super) fn read(&mut self, mut payload: &[u8], mut each: impl FnMut(Option<Record<'_>>)) {
        while let Some(end) = memchr::memchr(RECORD_SEPARATOR, payload) {
            let (record, rest) = payload.split_at(end);
            payload = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() {
                each(serde_json::from_slice(record).ok());
                continue;
            }
            self.begun.extend_from_slice(record);
            each(serde_json::from_slice(&self.begun).ok());
            self.begun.clear();
        }
        self.begun.extend_from_slice(payload);
    }
}

/// The text in a JSON value, if it is one.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0)
}

/// Which of the numbers from 0 on have come. They may overtake each other a little.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: u64,
    ahead: BTreeSet<u64>,
}

impl Sequence {
    /// Whether this one is new.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if number < self.next || !self.ahead.insert(number) {
            return false;
        }
        while self.ahead.remove(&self.next) {
            self.next += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_may_be_cut_anywhere() {
        let bytes =
            b"{\"type\":1,\"target\":\"m\",\"arguments\":[\"a\"]}\x1e{\"type\":6}\x1enonsense\x1e";
        for piece in [1, 7, 1000] {
            let (mut records, mut read) = (Records::default(), Vec::new());

            for part in bytes.chunks(piece) {
                records.read(part, |record| {
                    read.push(record.map(|record| {
                        let first =
                            record.arguments.and_then(|it| text(it[0]).map(Cow::into_owned));
                        (record.kind, first)
                    }));
                });
            }

            assert_eq!(read, [Some((1, Some("a".to_owned()))), Some((6, None)), None]);
        }
    }

    #[test]
    fn a_number_is_new_once_in_any_order() {
        let mut sequence = Sequence::default();

        let fresh: Vec<_> = [0, 2, 1, 1, 2, 0, 3].map(|number| sequence.insert(number)).into();

        assert_eq!(fresh, [true, true, true, false, false, false, true]);
        assert!(sequence.ahead.is_empty());
    }
}
