//! Booleans, numbers, texts, lists and enums.

use std::collections::BTreeMap;

use hub_core::protocol::Protocol;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{from_hex, from_json, has_no_form, is_read, is_written, result};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Marker;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Meters(f32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point(u8, i8);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Color {
    Red,
    Green,
}

#[tokio::test]
async fn plain_values_have_one_form_in_each_protocol() {
    is_written(true, "true", "c3").await;
    is_written(200_u8, "200", "cc c8").await;
    is_written(-7_i8, "-7", "f9").await;
    is_written(i64::MIN, "-9223372036854775808", "d3 8000000000000000").await;
    is_written(u64::MAX, "18446744073709551615", "cf ffffffffffffffff").await;
    is_written(0.5_f32, "0.5", "ca 3f000000").await;
    is_written(1.5_f64, "1.5", "cb 3ff8000000000000").await;
    is_written('é', "\"é\"", "a2 c3a9").await;
    is_written("x".to_owned(), "\"x\"", "a1 78").await;
    is_written(Meters(0.5), "0.5", "ca 3f000000").await;
    is_written(Point(1, -1), "[1,-1]", "92 01 ff").await;
    is_written((1_u8, "x".to_owned()), "[1,\"x\"]", "92 01 a178").await;
    is_written(vec![Color::Green], "[\"Green\"]", "91 a5 477265656e").await;
    is_written((), "null", "c0").await;
    is_written(Marker, "null", "c0").await;
    is_written(Some(5), "5", "05").await;
    is_written(None::<u8>, "null", "c0").await;
    is_written(Some(Some(5)), "5", "05").await;
    is_written(
        json!({"a": [null, 1.5]}),
        r#"{"a":[null,1.5]}"#,
        "81 a161 92 c0 cb3ff8000000000000",
    )
    .await;
}

#[tokio::test]
async fn a_some_of_none_is_null() {
    for protocol in [Protocol::Json, Protocol::MessagePack] {
        let none = result(&None::<u8>, protocol).unwrap();
        assert_eq!(result(&Some(None::<u8>), protocol).unwrap(), none);
    }
    is_read(None::<Option<u8>>, "null", b"\xc0").await;
}

#[tokio::test]
async fn integers_of_128_bits_are_numbers_if_they_fit() {
    is_written(u128::from(u64::MAX), "18446744073709551615", "cf ffffffffffffffff").await;
    is_written(-5_i128, "-5", "fb").await;
    is_written(i128::from(i64::MIN), "-9223372036854775808", "d3 8000000000000000").await;
    assert_eq!(result(&u128::MAX, Protocol::Json).unwrap(), u128::MAX.to_string());
    assert_eq!(from_json(&u128::MAX.to_string()), Ok(u128::MAX));
    has_no_form(&u128::MAX, &["340282366920938463463374607431768211455", "64 bits"]).await;
    has_no_form(&vec![Some(i128::MIN)], &["64 bits"]).await;
}

#[tokio::test]
async fn numbers_without_a_form_in_json_are_null_there() {
    for (number, packed) in [(f64::NAN, "7ff8000000000000"), (f64::INFINITY, "7ff0000000000000")] {
        assert_eq!(result(&number, Protocol::Json).unwrap(), "null");
        assert_eq!(
            result(&number, Protocol::MessagePack).unwrap(),
            super::hex(&format!("cb{packed}"))
        );
    }
}

#[tokio::test]
async fn raw_json_is_converted_in_both_directions() {
    let raw = RawValue::from_string(r#"{"a":[1,2.5,null]}"#.to_owned()).unwrap();
    let packed = "81 a161 93 01 cb4004000000000000 c0";

    assert_eq!(result(&raw, Protocol::MessagePack).unwrap(), super::hex(packed));
    assert_eq!(from_hex::<Box<RawValue>>(packed).unwrap().get(), raw.get());
    assert_eq!(from_json::<Box<RawValue>>(raw.get()).unwrap().get(), raw.get());
    let read = from_hex::<BTreeMap<String, Box<RawValue>>>("81 a178 c4030102ff").unwrap();
    assert_eq!(read["x"].get(), r#""AQL/""#);
}

#[derive(Debug, PartialEq, Deserialize)]
struct Defaults {
    #[serde(default)]
    count: u32,
    #[serde(default)]
    name: String,
    other: Option<u8>,
    any: Value,
    unit: (),
}

#[tokio::test]
async fn undefined_in_an_object_is_the_default_as_if_the_member_were_missing() {
    let expected =
        |count| Defaults { count, name: String::new(), other: None, any: Value::Null, unit: () };
    // JavaScript leaves `undefined` out of JSON, and writes it as nil in MessagePack.
    let packed = "85 a5 636f756e74 c0 a4 6e616d65 c0 a5 6f74686572 c0 a3 616e79 c0 a4 756e6974 c0";
    assert_eq!(from_json(r#"{"any":null,"unit":null}"#), Ok(expected(0)));
    assert_eq!(from_hex(packed), Ok(expected(0)));
    let list: Vec<Defaults> = from_hex(
        "92 84 a5 636f756e74 07 a4 6e616d65 c0 a3 616e79 c0 a4 756e6974 c0
            84 a5 636f756e74 c0 a4 6e616d65 c0 a3 616e79 c0 a4 756e6974 c0",
    )
    .unwrap();
    assert_eq!(list, [expected(7), expected(0)]);
    #[derive(Debug, Deserialize, PartialEq)]
    enum Shape {
        Box {
            #[serde(default)]
            width: u32,
        },
    }
    assert_eq!(from_hex("81 a3 426f78 81 a5 7769647468 c0"), Ok(Shape::Box { width: 0 }));
    // An entry of a map has no default.
    assert_eq!(
        from_hex::<BTreeMap<String, u8>>("82 a161 01 a162 c0").unwrap_err(),
        "argument 1: invalid type: null, expected u8"
    );

    #[derive(Debug, Deserialize)]
    struct Required {
        #[allow(dead_code, reason = "only its error matters")]
        count: u32,
    }
    let error = from_hex::<Required>("81 a5 636f756e74 c0").unwrap_err();
    assert_eq!(error, "argument 1: invalid type: null, expected u32");
}
