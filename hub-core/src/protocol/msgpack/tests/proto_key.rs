//! The key `__proto__` never goes out to MessagePack clients.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;

use crate::protocol::{
    Message, Outcome, Protocol, convert,
    msgpack::{encode, proto_key::without, write_value},
};

/// `{"a": 1}` and `[{"b": {}}, "__proto__"]`.
const CLEAN: [&[u8]; 2] = [b"\x81\xa1a\x01", b"\x92\x81\xa1b\x80\xa9__proto__"];

#[test]
fn a_json_object_is_converted_without_the_key() {
    let packed = |text: &'static str| {
        convert(&Bytes::from_static(text.as_bytes()), Protocol::Json, Protocol::MessagePack)
            .unwrap()
    };

    assert_eq!(packed(r#"{"__proto__":{"x":[1]},"a":1}"#), CLEAN[0]);
    assert_eq!(packed(r#"{"a":1,"\u005f_proto_\u005F":null}"#), CLEAN[0]);
    assert_eq!(packed(r#"[{"b":{"__proto__":{"__proto__":1}}},"__proto__"]"#), CLEAN[1]);
}

#[test]
fn a_value_of_the_app_is_written_without_the_key() {
    let written = |value: &dyn erased::Value| {
        let mut out = vec![0];
        value.write(&mut out);
        out.split_off(1)
    };

    assert_eq!(written(&json!({"__proto__": {"x": [1]}, "a": 1})), CLEAN[0]);
    assert_eq!(written(&BTreeMap::from([("__proto__", 7), ("a", 1)])), CLEAN[0]);
    assert_eq!(written(&json!([{"b": {"__proto__": 1}}, "__proto__"])), CLEAN[1]);
    let raw = serde_json::value::RawValue::from_string(r#"{"a":1,"__proto__":2}"#.to_owned());
    assert_eq!(written(&raw.unwrap()), CLEAN[0]);
}

/// A value that can be written.
mod erased {
    pub(super) trait Value {
        fn write(&self, out: &mut Vec<u8>);
    }

    impl<T: serde::Serialize> Value for T {
        fn write(&self, out: &mut Vec<u8>) {
            super::write_value(out, self).unwrap();
        }
    }
}

#[test]
fn a_completion_of_an_app_in_another_language_is_relayed_without_the_key() {
    let completion = |result: &'static [u8]| {
        let invocation_id = "7".to_owned();
        encode(&Message::Completion { invocation_id, outcome: Outcome::Result(result.into()) })
    };
    let relayed = |framed: Bytes| Protocol::MessagePack.relayed(framed);

    // The key as a text of 9 bytes in its shortest and in a longer form.
    for bad in [&b"\x82\xa9__proto__\x80\xa1a\x01"[..], b"\x82\xd9\x09__proto__\x80\xa1a\x01"] {
        assert_eq!(relayed(completion(bad)), completion(CLEAN[0]));
    }
    let malformed = Bytes::from_static(b"\x0c\x95__proto__");
    assert_eq!(relayed(malformed.clone()), malformed);
}

#[test]
fn values_without_the_key_keep_their_bytes() {
    let all: &[u8] = b"\x96\xc0\xc3\xcb\x7f\xf0\0\0\0\0\0\0\xc4\x02ab\xd7\xff\0\0\0\0\0\0\0\0\x82\x01\xa1_\xa1b\x91\xff";

    assert_eq!(without(all).unwrap(), all);
}
