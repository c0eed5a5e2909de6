use std::{collections::HashMap, fmt::Debug};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{fields::Fields, *};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    user_name: String,
    #[serde(default)]
    age: Option<u8>,
}

fn point(user_name: &str, age: Option<u8>) -> Point {
    Point { user_name: user_name.to_owned(), age }
}

fn method(exact_names: bool) -> MethodReading {
    MethodReading::new("Chat", "move", exact_names)
}

/// Reads a value in every protocol. The outcomes must be equal.
fn read_by<T: DeserializeOwned + PartialEq + Debug>(
    text: &str,
    method: &MethodReading,
) -> Result<T, String> {
    let outcome = json(text, Some(method)).map_err(|error| crate::args::json_text(&error));
    #[cfg(feature = "msgpack")]
    {
        use crate::protocol::{Protocol, convert};
        let json = bytes::Bytes::copy_from_slice(text.as_bytes());
        let packed = convert(&json, Protocol::Json, Protocol::MessagePack).unwrap();
        assert_eq!(message_pack(&packed, Some(method)), outcome, "{text}");
    }
    outcome
}

fn read<T: DeserializeOwned + PartialEq + Debug>(text: &str) -> Result<T, String> {
    read_by(text, &method(false))
}

#[test]
fn a_member_in_another_case_is_the_field() {
    for text in [
        r#"{"userName":"ada","age":7}"#,
        r#"{"UserName":"ada","Age":7}"#,
        r#"{"AGE":7,"USERNAME":"ada"}"#,
        r#"{"user\u004eame":"ada","\u0041ge":7,"more":[1]}"#,
    ] {
        assert_eq!(read(text), Ok(point("ada", Some(7))), "{text}");
    }
}

#[test]
fn members_match_in_any_case_at_every_depth() {
    #[derive(Debug, PartialEq, Deserialize)]
    enum Shape {
        One(Point),
        Two(u8, Point),
        Named { corner: Point },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        list: Vec<(u8, Option<Point>)>,
        by_name: HashMap<String, Box<Point>>,
        shapes: Vec<Shape>,
    }
    let text = r#"{"LIST":[[1,{"USERNAME":"a"}],[2,null]],"By_Name":{"Key":{"USERNAME":"b"}},
        "Shapes":[{"One":{"UserName":"c"}},{"Two":[1,{"UserName":"d"}]},{"Named":{"CORNER":{"UserName":"e"}}}]}"#;

    assert_eq!(
        read(text),
        Ok(Outer {
            list: vec![(1, Some(point("a", None))), (2, None)],
            by_name: HashMap::from([("Key".to_owned(), Box::new(point("b", None)))]),
            shapes: vec![
                Shape::One(point("c", None)),
                Shape::Two(1, point("d", None)),
                Shape::Named { corner: point("e", None) },
            ],
        })
    );
}

#[test]
fn an_exact_match_wins() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[allow(non_snake_case)]
    struct Both {
        ab: u8,
        AB: u8,
    }

    assert_eq!(read(r#"{"AB":1,"ab":2}"#), Ok(Both { ab: 2, AB: 1 }));
    assert_eq!(
        read::<Both>(r#"{"Ab":1,"ab":2}"#).unwrap_err(),
        "a member differs from `ab` and `AB` in case only; send one of these spellings"
    );
}

#[test]
fn an_alias_and_a_renamed_field_match_in_any_case() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        #[serde(rename = "kind", alias = "type", alias = "sort")]
        value: u8,
    }

    for text in [r#"{"Kind":1}"#, r#"{"TYPE":1}"#, r#"{"Sort":1}"#, r#"{"sort":1}"#] {
        assert_eq!(read(text), Ok(Named { value: 1 }), "{text}");
    }
    let unknown = read::<Named>(r#"{"Kinds":1}"#).unwrap_err();
    assert!(unknown.starts_with("unknown field `Kinds`, expected "), "{unknown}");
}

#[test]
fn two_members_that_differ_in_case_only_are_refused() {
    for text in [
        r#"{"userName":"a","UserName":"b"}"#,
        r#"{"UserName":"b","userName":"a"}"#,
        r#"{"USERNAME":"b","UserName":"a"}"#,
    ] {
        assert_eq!(
            read::<Point>(text).unwrap_err(),
            "two members are the field `userName`, because names are compared without case; send one of them",
            "{text}"
        );
    }
}

#[test]
fn exact_names_switches_matching_in_any_case_off() {
    let exact = method(true);

    assert_eq!(read_by(r#"{"userName":"a","UserName":"b"}"#, &exact), Ok(point("a", None)));
    assert_eq!(
        read_by::<Point>(r#"{"UserName":"a"}"#, &exact).unwrap_err(),
        "missing field `userName`"
    );
}

#[test]
fn keys_of_maps_are_data_and_stay_as_they_are() {
    let map = HashMap::from([("a".to_owned(), 1), ("A".to_owned(), 2)]);

    assert_eq!(read(r#"{"a":1,"A":2}"#), Ok(map));
    assert_eq!(read(r#"{"5":true}"#), Ok(HashMap::from([(5_u8, true)])));
}

#[test]
fn flattened_untagged_and_internally_tagged_types_match_exactly() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        more: HashMap<String, u8>,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Small { a: u8 },
        Other(Value),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Tagged {
        Moved { n: u8 },
    }

    let flat = Flat { id: 1, more: HashMap::from([("ID".to_owned(), 2)]) };
    assert_eq!(read(r#"{"id":1,"ID":2}"#), Ok(flat));
    assert_eq!(read(r#"{"a":1}"#), Ok(Untagged::Small { a: 1 }));
    assert_eq!(read(r#"{"A":1}"#), Ok(Untagged::Other(serde_json::json!({"A": 1}))));
    assert_eq!(read(r#"{"kind":"moved","n":1}"#), Ok(Tagged::Moved { n: 1 }));
    assert_eq!(read::<Tagged>(r#"{"kind":"moved","N":1}"#).unwrap_err(), "missing field `n`");
}

#[test]
fn a_struct_with_more_than_64_fields_matches_in_any_case() {
    let mut fields = Fields::new("Large", Vec::leak((0..80).map(leaked).collect()));

    assert_eq!(fields.find("field70").unwrap(), None);
    assert_eq!(fields.find("FIELD71").unwrap(), Some("field71"));

    fn leaked(number: u8) -> &'static str {
        format!("field{number}").leak()
    }
}

#[test]
fn an_object_without_a_known_member_is_reported_once_per_method() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Place {
        lat: Option<i32>,
        lon: Option<i32>,
    }
    let read = |text: &str, method: &MethodReading| {
        let notes = Notes::of(Some(method));
        json_with::<Place>(text, &notes).unwrap();
        notes.unmatched.into_inner().map(|object| (object.member.clone(), object.fields()))
    };
    let known = method(false);

    let reported = read(r#"{"latitude":1,"longitude":2}"#, &known);
    assert_eq!(reported, Some(("latitude".to_owned(), "`lat`, `lon`".to_owned())));
    for quiet in ["{}", r#"{"other":1,"LAT":1}"#, r#"{"lon":1,"other":1}"#] {
        assert_eq!(read(quiet, &known), None, "{quiet}");
    }
    assert_eq!(read(r#"{"latitude":1}"#, &method(true)), None);

    assert!(!known.warned.load(Relaxed));
    json::<Place>(r#"{"latitude":1}"#, Some(&known)).unwrap();
    assert!(known.warned.load(Relaxed));
}

#[test]
fn a_number_that_loses_digits_as_a_float_is_refused() {
    #[derive(Deserialize)]
    struct Priced {
        price: f64,
        exact: Box<serde_json::value::RawValue>,
    }
    let lost = "1234567890123.123456789";
    let expected = format!(
        "the number {lost} has more digits than a 64-bit float; send it as text, or read it as a decimal"
    );
    let json = |text: &str| json::<Value>(text, None).map_err(|e| crate::args::json_text(&e));

    assert_eq!(json(&format!("[{{\"a\":{lost}}}]")).unwrap_err(), expected);
    for text in
        [lost, "79228162514264337593543950335", "9223372036854775807", "-9223372036854775807"]
    {
        let error = super::json::<Option<f64>>(text, None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the number {text} has more digits")), "{error}");
        assert!(super::json::<f32>(text, None).is_err(), "{text}");
    }
    let priced =
        super::json::<Priced>(&format!("{{\"price\":0.5,\"exact\":{lost}}}"), None).unwrap();
    assert_eq!((priced.price, priced.exact.get()), (0.5, lost));
}

#[test]
fn a_decimal_beside_floats_and_bytes_keeps_its_digits() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Mixed {
        ratio: f64,
        any: Value,
        price: crate::dotnet::Decimal,
        #[serde(with = "crate::values::binary")]
        data: Vec<u8>,
    }
    let text =
        r#"{"Ratio":0.5,"any":[1.5,{"a":-2}],"Price":1234567890123.123456789,"data":"AQID"}"#;

    let mixed: Mixed = json(text, None).unwrap();

    assert_eq!(mixed.ratio, 0.5);
    assert_eq!(mixed.any, serde_json::json!([1.5, {"a": -2}]));
    assert_eq!((mixed.price.as_str(), mixed.data), ("1234567890123.123456789", vec![1, 2, 3]));
}

#[test]
fn numbers_that_a_float_holds_are_read() {
    assert_eq!(read("0.1"), Ok(0.1_f64));
    assert_eq!(read("1152921504606847000"), Ok(1_152_921_504_606_846_976_f64));
    assert_eq!(
        read(r#"["1234567890123.123456789",1.5]"#),
        Ok(("1234567890123.123456789".to_owned(), 1.5_f64))
    );
    assert_eq!(read("9223372036854775807"), Ok(i64::MAX));
}

#[cfg(feature = "msgpack")]
#[test]
fn an_integer_in_messagepack_that_loses_digits_as_a_float_is_refused() {
    let error = message_pack::<f64>(b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", None).unwrap_err();

    assert!(error.starts_with("the number 9223372036854775807 has more digits"), "{error}");
}

#[cfg(feature = "msgpack")]
#[test]
fn a_class_as_dotnet_clients_send_it_is_read() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Plain {
        a: i32,
        b: String,
    }
    // `new Plain { A = 1, B = "x" }`, `[Key("a")]` and `[Key(0)]` of Microsoft.AspNetCore.SignalR.Client 10.0.
    for sent in [&b"\x82\xa1A\x01\xa1B\xa1x"[..], b"\x82\xa1a\x01\xa1b\xa1x", b"\x92\x01\xa1x"] {
        assert_eq!(message_pack(sent, None), Ok(Plain { a: 1, b: "x".to_owned() }), "{sent:x?}");
    }
}
