//! Keys of maps: as JSON has them, except that numbers stay numbers in MessagePack.

use std::{collections::BTreeMap, fmt::Debug};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{from_hex, from_json, has_no_form, is_read, is_written, result};
use hub_core::protocol::Protocol;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Color {
    Red,
    Green,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Name(String);

fn one<K: Ord + Debug>(key: K) -> BTreeMap<K, u8> {
    BTreeMap::from([(key, 1)])
}

#[tokio::test]
async fn keys_are_text_or_numbers() {
    is_written(one(true), r#"{"true":1}"#, "81 a4 74727565 01").await;
    is_written(one(7_u8), r#"{"7":1}"#, "81 07 01").await;
    is_written(one(i64::MIN), r#"{"-9223372036854775808":1}"#, "81 d3 8000000000000000 01").await;
    is_written(one(5_u128), r#"{"5":1}"#, "81 05 01").await;
    is_written(one('x'), r#"{"x":1}"#, "81 a1 78 01").await;
    is_written(one(Color::Green), r#"{"Green":1}"#, "81 a5 477265656e 01").await;
    is_written(one(Name("x".to_owned())), r#"{"x":1}"#, "81 a1 78 01").await;
    is_written(one(Some(false)), r#"{"false":1}"#, "81 a5 66616c7365 01").await;
}

#[tokio::test]
async fn keys_of_other_clients_are_read() {
    is_read(one(true), r#"{"True":1}"#, b"\x81\xc3\x01").await;
    is_read(one(7_u8), r#"{"7":1}"#, b"\x81\xa17\x01").await;
    is_read(one("7".to_owned()), r#"{"7":1}"#, b"\x81\x07\x01").await;
    is_read(one("true".to_owned()), r#"{"true":1}"#, b"\x81\xc3\x01").await;
    let value: Value = from_hex("82 07 81 c3 01 ff 02").unwrap();
    assert_eq!(value, json!({"7": {"true": 1}, "-1": 2}));
    let error = from_json::<BTreeMap<bool, u8>>(r#"{"yes":1}"#).unwrap_err();
    assert_eq!(error, "argument 1: invalid value: string \"yes\", expected `true` or `false`");
}

#[tokio::test]
async fn a_number_is_not_the_position_of_a_field() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Fields {
        first: Option<u8>,
    }
    assert_eq!(from_hex("81 00 07"), Ok(Fields { first: None }));
}

#[tokio::test]
async fn keys_without_a_form_are_an_error_with_the_types_name_before_anything_is_sent() {
    has_no_form(&one(vec![1_u8]), &["map key", "alloc::vec::Vec<u8>"]).await;
    has_no_form(&one(()), &["map key", "`()`"]).await;
    has_no_form(&vec![one(None::<u8>)], &["map key", "Option<u8>"]).await;
    has_no_form(&one(u128::MAX), &["64 bits"]).await;
    for protocol in [Protocol::Json, Protocol::MessagePack] {
        let error = result(&one(vec![1_u8]), protocol).unwrap_err();
        assert!(error.is_internal());
        assert!(format!("{error:?}").contains("alloc::vec::Vec<u8>"), "{error:?}");
    }
}
