//! Hub messages in MessagePack, and the bundles of REST calls.

use bytes::Bytes;
use hub_core::protocol::{Protocol, bundle, convert};

use crate::values;

/// Parses the input as a stream of MessagePack messages, as a bundle and as a value.
pub fn run(data: &[u8]) {
    crate::messages::run(Protocol::MessagePack, data);
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(entries) = bundle::parse(&bytes) {
        let written = bundle::encode(&entries);
        assert_eq!(
            bundle::parse(&written).unwrap(),
            entries,
            "the bundle changes when it is written and read again"
        );
    }
    let (from, to) = (Protocol::MessagePack, Protocol::Json);
    values::agree(&bytes, from, to, convert(&bytes, from, to).as_ref());
}
