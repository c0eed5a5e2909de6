//! Tests that read and write values, and convert them from and to JSON.

use std::collections::HashMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::*;
use crate::protocol::Protocol;

fn read_value<T: DeserializeOwned>(value: &[u8]) -> Result<T, String> {
    crate::reading::message_pack(value, None)
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Shape {
    Point,
    Circle(f64),
    Box(u8, u8),
    Named { side_length: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Everything {
    text: String,
    missing: Option<u8>,
    there: Option<Box<str>>,
    #[serde(with = "text_or_bytes")]
    identity: [u8; 2],
    shapes: Vec<Shape>,
    by_number: HashMap<i32, bool>,
    pair: (i64, f32),
    address: std::net::Ipv4Addr,
    unit: (),
    #[serde(flatten)]
    more: HashMap<String, u64>,
}

/// Serialises as UUIDs do: as text in human-readable formats, as bytes in others.
mod text_or_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &[u8; 2], out: S) -> Result<S::Ok, S::Error> {
        assert!(out.is_human_readable());
        out.serialize_str(&format!("{:02x}{:02x}", value[0], value[1]))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 2], D::Error> {
        assert!(from.is_human_readable());
        let text = String::deserialize(from)?;
        Ok(u16::from_str_radix(&text, 16).map_err(D::Error::custom)?.to_be_bytes())
    }
}

fn everything() -> Everything {
    Everything {
        text: id("größe"),
        missing: None,
        there: Some("x".into()),
        identity: [0xAB, 0x01],
        shapes: vec![
            Shape::Point,
            Shape::Circle(1.5),
            Shape::Box(1, 2),
            Shape::Named { side_length: 3 },
        ],
        by_number: HashMap::from([(-7, true)]),
        pair: (i64::MIN, 0.5),
        address: std::net::Ipv4Addr::LOCALHOST,
        unit: (),
        more: HashMap::from([(id("big"), u64::MAX)]),
    }
}

fn written<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, value).unwrap();
    out
}

#[test]
fn values_are_read_as_they_are_written() {
    assert_eq!(read_value::<Everything>(&written(&everything())), Ok(everything()));
}

#[test]
fn values_have_the_structure_of_their_json() {
    let json = to_json(&written(&everything())).unwrap();

    let read: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(read, serde_json::to_value(everything()).unwrap());
}

#[test]
fn converted_json_binds_like_json() {
    let json = serde_json::to_vec(&everything()).unwrap();

    let converted = from_json(&json).unwrap();

    assert_eq!(read_value::<Everything>(&converted), Ok(everything()));
}

#[test]
fn timestamps_convert_to_text_and_other_extensions_to_bytes() {
    let time = Ok(id("2023-11-14T22:13:20Z"));
    assert_eq!(read_value::<String>(&bytes("d6 ff 65 53 f1 00")), time);
    assert_eq!(read_value::<String>(&bytes("d7 ff 00 00 00 00 65 53 f1 00")), time);
    assert_eq!(read_value::<String>(&bytes("c7 0c ff 00 00 00 00 00 00 00 00 65 53 f1 00")), time);
    assert_eq!(read_value::<Option<String>>(&bytes("d6 ff 65 53 f1 00")), time.map(Some));
    assert_eq!(read_value::<Bytes2>(&bytes("d5 05 01 02")), Ok(Bytes2(vec![1, 2])));
    assert_eq!(
        read_value::<String>(&bytes("d4 ff 00")).unwrap_err(),
        "the timestamp is malformed or out of range"
    );
}

/// Deserializes from bytes, like the types of `serde_bytes`.
#[derive(Debug, PartialEq)]
struct Bytes2(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes2 {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes2;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes2, E> {
                Ok(Bytes2(bytes.to_vec()))
            }
        }

        from.deserialize_byte_buf(Visitor)
    }
}

#[test]
fn bytes_bind_to_bytes_and_to_numbers() {
    assert_eq!(read_value::<Bytes2>(&bytes("c4 02 01 ff")), Ok(Bytes2(vec![1, 255])));
    assert_eq!(read_value::<Vec<u8>>(&bytes("c4 02 01 ff")), Ok(vec![1, 255]));
    assert_eq!(read_value::<[u8; 2]>(&bytes("c4 02 01 ff")), Ok([1, 255]));
    assert!(read_value::<[u8; 2]>(&bytes("c4 03 01 ff 00")).is_err());
}

#[test]
fn errors_read_as_those_of_json() {
    let error = |hex: &str| read_value::<i64>(&bytes(hex)).unwrap_err();

    assert_eq!(error("a1 78"), "invalid type: string \"x\", expected i64");
    assert_eq!(error("c0"), "invalid type: null, expected i64");
    assert!(read_value::<Shape>(&bytes("07")).unwrap_err().contains("integer `7`"));
    assert!(read_value::<Shape>(&bytes("a1 78")).unwrap_err().contains("unknown variant `x`"));
    let two = bytes("82 a5 70 6f 69 6e 74 c0 a1 78 01");
    assert!(read_value::<Shape>(&two).unwrap_err().contains("single key"));
    assert!(read_value::<(u8, u8)>(&bytes("93 01 02 03")).unwrap_err().contains("length 3"));
    assert!(read_value::<(u8, u8)>(&bytes("91 01")).unwrap_err().contains("length 1"));
}

#[test]
fn a_false_length_and_deep_nesting_are_errors() {
    assert!(read_value::<Vec<u64>>(&bytes("dd ff ff ff ff 01")).is_err());
    assert!(read_value::<HashMap<String, u64>>(&bytes("df ff ff ff ff")).is_err());
    assert!(read_value::<String>(&bytes("db ff ff ff ff 61")).is_err());
    assert!(read_value::<Value>(&vec![0x91; 100_000]).is_err());
    assert!(read_value::<u8>(&bytes("01 02")).is_err());
}

#[test]
fn json_integers_up_to_64_bits_stay_exact() {
    let text = format!(
        "[0,-0,1,-1,{},{},18446744073709551616,1.5,1e2,1e400,-1E400,5e-324]",
        u64::MAX,
        i64::MIN
    );

    let converted = from_json(text.as_bytes()).unwrap();

    let mut reader = Reader::new(&converted);
    assert_eq!(reader.array_length().unwrap(), 12);
    let tokens: Vec<Token<'_>> = (0..12).map(|_| reader.token().unwrap()).collect();
    assert_eq!(
        tokens,
        [
            Token::Unsigned(0),
            Token::Float64(-0.0),
            Token::Unsigned(1),
            Token::Signed(-1),
            Token::Unsigned(u64::MAX),
            Token::Signed(i64::MIN),
            Token::Float64(18_446_744_073_709_551_616.0),
            Token::Float64(1.5),
            Token::Float64(100.0),
            Token::Float64(f64::INFINITY),
            Token::Float64(f64::NEG_INFINITY),
            Token::Float64(5e-324),
        ]
    );
}

#[test]
fn json_of_any_form_is_converted() {
    let long: Vec<Value> = (0..70_000).map(Value::from).collect();
    for value in [
        json!(null),
        json!({}),
        json!([]),
        json!([[], {}, [[]], "", "a\"\\\u{1e}ü😀", true, false, null]),
        json!({"a": {"b": [1, {"c": null}]}, "": 0, "\"": "}"}),
        json!(long),
    ] {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let there = from_json(text.as_bytes()).unwrap();
            let back: Value = serde_json::from_slice(&to_json(&there).unwrap()).unwrap();
            assert_eq!(back, value);
        }
    }
}

#[test]
fn invalid_json_is_refused() {
    for bad in ["", "[", "[1,]", "{\"a\"}", "nul", "1 2", "\"\\ud800\"", "+1"] {
        assert!(from_json(bad.as_bytes()).is_err(), "{bad}");
    }
    let nested =
        |levels: usize| from_json(["[".repeat(levels), "]".repeat(levels)].concat().as_bytes());
    assert!(nested(64).is_ok());
    assert!(nested(65).is_err());
    assert!(nested(400_000).is_err());
}

#[test]
fn messagepack_has_its_form_in_json() {
    let json =
        |hex: &str| to_json(&bytes(hex)).map(|json| String::from_utf8(json.to_vec()).unwrap()).ok();

    assert_eq!(json("c4 03 01 02 ff").unwrap(), "\"AQL/\"");
    assert_eq!(json("d5 05 01 02").unwrap(), "\"AQI=\"");
    assert_eq!(json("d6 ff 65 53 f1 00").unwrap(), "\"2023-11-14T22:13:20Z\"");
    assert_eq!(json("ca 3d cc cc cd").unwrap(), "0.1");
    assert_eq!(json("cb 7f f0 00 00 00 00 00 00").unwrap(), "null");
    assert_eq!(
        json("83 01 c0 ff c2 c3 a1 78").unwrap(),
        "{\"1\":null,\"-1\":false,\"true\":\"x\"}"
    );
    for bad in ["", "c1", "91", "a1 ff", "81 90 c0", "81 c0 c0", "01 02", "d4 ff 00"] {
        assert_eq!(json(bad), None, "{bad}");
    }
    assert_eq!(
        to_json(&vec![0x91; 100_000]).unwrap_err().to_string(),
        "the value cannot be written as JSON: the message is nested deeper than 64 levels"
    );
}

#[test]
fn a_value_is_converted_between_any_two_protocols() {
    let value = Bytes::from_static(b"[ 1.50 ]");

    for (from, to) in
        [(Protocol::Json, Protocol::Json), (Protocol::MessagePack, Protocol::MessagePack)]
    {
        assert_eq!(crate::protocol::convert(&value, from, to).unwrap(), value);
    }
}

#[test]
fn raw_json_is_converted_to_its_value() {
    let raw = serde_json::value::RawValue::from_string(r#"{"a":[1,2.5,null]}"#.to_owned()).unwrap();

    let json = to_json(&written(&(7, raw))).unwrap();

    assert_eq!(&json[..], br#"[7,{"a":[1,2.5,null]}]"#);
}
