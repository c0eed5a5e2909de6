//! Comparison of values in JSON and in MessagePack.

use bytes::Bytes;
use hub_core::protocol::{ConvertError, Protocol, convert};
use serde_json::{Value, value::RawValue};

/// Checks the conversion of a value to another protocol.
pub(crate) fn agree(
    value: &Bytes,
    from: Protocol,
    to: Protocol,
    converted: Result<&Bytes, &ConvertError>,
) {
    let meant =
        (from == Protocol::Json).then(|| serde_json::from_slice::<Value>(value)).transpose();
    let Ok(converted) = converted else {
        // Lone surrogates and out-of-range numbers match the JSON grammar, but `Value` cannot
        // represent them.
        assert!(!matches!(meant, Ok(Some(_))), "a JSON value has no form in MessagePack");
        return;
    };
    let back = convert(converted, to, from);
    match from {
        Protocol::Json => {
            let back = back.expect("a value from JSON converts to JSON");
            let back: Value = serde_json::from_slice(&back).expect("JSON");
            if let Ok(Some(mut meant)) = meant {
                remove_proto_keys(&mut meant);
                assert!(
                    same(&back, &meant),
                    "the value changes in a round trip: {back} instead of {meant}"
                );
            }
        }
        _ => {
            serde_json::from_slice::<&RawValue>(converted).expect("JSON");
            // Bytes, timestamps and keys become strings in JSON, so the first round trip may change
            // the value. The second round trip must not.
            let back = back.expect("converted JSON converts to MessagePack");
            let again = convert(&back, from, to).expect("the value converts to JSON again");
            assert_eq!(
                convert(&again, to, from).as_ref(),
                Ok(&back),
                "the value changes in the second round trip"
            );
        }
    }
}

/// Removes the key that is never written in MessagePack.
fn remove_proto_keys(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(remove_proto_keys),
        Value::Object(members) => {
            members.remove("__proto__");
            members.values_mut().for_each(remove_proto_keys);
        }
        _ => {}
    }
}

/// Whether two values are equal, except for the last digit of fractions, which parsers round
/// differently.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|it| same(left, it)))
        }
        (Value::Number(left), Value::Number(right)) if left != right => {
            let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else { return false };
            (left - right).abs() <= left.abs().max(right.abs()) * 1e-14
        }
        _ => left == right,
    }
}
