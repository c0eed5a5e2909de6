//! Bytes: Base64 in JSON and binary data in MessagePack, at every depth.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::{client_result, from_hex, from_json, is_read, is_written};
use hub_core::protocol::Protocol;

fn buf() -> ByteBuf {
    ByteBuf::from([1, 2, 255])
}

#[tokio::test]
async fn types_that_ask_serde_for_bytes_are_base64_and_binary() {
    is_written(buf(), r#""AQL/""#, "c4 03 01 02 ff").await;
    is_written(Bytes::from_static(&[1, 2, 3]), r#""AQID""#, "c4 03 01 02 03").await;
    is_written(ByteArray::new([1, 2]), r#""AQI=""#, "c4 02 01 02").await;
    is_written(ByteBuf::new(), r#""""#, "c4 00").await;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Content {
    Empty,
    Raw(ByteBuf),
    Pair(ByteBuf, u8),
    Named { raw: ByteBuf },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(ByteBuf);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Deep {
    list: Vec<Option<ByteBuf>>,
    map: BTreeMap<String, Content>,
    wrapped: Wrapped,
}

#[tokio::test]
async fn bytes_are_bytes_at_every_depth() {
    is_written(
        Deep {
            list: vec![Some(buf()), None],
            map: BTreeMap::from([
                ("a".to_owned(), Content::Raw(buf())),
                ("b".to_owned(), Content::Pair(buf(), 7)),
                ("c".to_owned(), Content::Named { raw: buf() }),
                ("d".to_owned(), Content::Empty),
            ]),
            wrapped: Wrapped(buf()),
        },
        r#"{"list":["AQL/",null],"map":{"a":{"Raw":"AQL/"},"b":{"Pair":["AQL/",7]},"c":{"Named":{"raw":"AQL/"}},"d":"Empty"},"wrapped":"AQL/"}"#,
        "83 a4 6c697374 92 c4030102ff c0 a3 6d6170 84 a161 81 a3526177 c4030102ff a162 81 a450616972 92 c4030102ff 07
         a163 81 a54e616d6564 81 a3726177 c4030102ff a164 a5456d707479 a7 77726170706564 c4030102ff",
    )
    .await;
    is_written(BTreeMap::from([(buf(), 1)]), r#"{"AQL/":1}"#, "81 a4 41514c2f 01").await;
}

#[tokio::test]
async fn a_list_of_numbers_and_text_are_read_as_bytes_in_both_protocols() {
    is_read(buf(), "[1,2,255]", b"\x93\x01\x02\xcc\xff").await;
    is_read(buf(), r#""AQL/""#, b"\xa4AQL/").await;
    assert_eq!(from_json(r#""aGVsbG8""#), Ok(ByteBuf::from(*b"hello")), "without padding");
    for text in ["\"AQL*\"", "\"A\"", "7", "null", "{}"] {
        let error = from_json::<ByteBuf>(text).unwrap_err();
        assert!(error.contains("Base64"), "{error}");
    }
    assert!(from_json::<ByteBuf>("[256]").is_err());
}

#[tokio::test]
async fn a_list_of_u8_is_written_as_numbers_and_read_from_bytes() {
    is_written(vec![1_u8, 255], "[1,255]", "92 01 ccff").await;
    is_written([1_u8, 255], "[1,255]", "92 01 ccff").await;
    is_read(vec![1_u8, 2, 255], r#""AQL/""#, b"\xc4\x03\x01\x02\xff").await;
    is_read([1_u8, 2, 255], r#""AQL/""#, b"\xc4\x03\x01\x02\xff").await;
    is_read(Box::<[u8]>::from([1, 2, 255]), r#""AQL/""#, b"\xc4\x03\x01\x02\xff").await;
    let error = from_json::<[u8; 2]>(r#""AQL/""#).unwrap_err();
    assert!(error.contains("length 3"), "{error}");
    let error = from_json::<Vec<u16>>(r#""AQL/""#).unwrap_err();
    assert!(error.contains("expected a sequence"), "{error}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Adapted {
    #[serde(with = "hub_runtime::binary")]
    binary: Vec<u8>,
    #[serde(with = "hub_runtime::byte_list")]
    list: ByteBuf,
}

#[tokio::test]
async fn adapters_choose_bytes_or_a_list() {
    is_written(
        Adapted { binary: vec![1, 2, 255], list: buf() },
        r#"{"binary":"AQL/","list":[1,2,255]}"#,
        "82 a6 62696e617279 c4030102ff a4 6c697374 93 01 02 ccff",
    )
    .await;
    let adapted = || Adapted { binary: vec![7], list: ByteBuf::from([7]) };
    is_read(
        adapted(),
        r#"{"binary":[7],"list":"Bw=="}"#,
        b"\x82\xa6binary\x91\x07\xa4list\xc4\x01\x07",
    )
    .await;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Buffered {
    File {
        #[serde(with = "hub_runtime::binary")]
        content: Vec<u8>,
    },
}

#[tokio::test]
async fn the_adapter_reads_bytes_inside_of_types_that_serde_buffers() {
    is_written(
        Buffered::File { content: vec![1, 2, 255] },
        r#"{"kind":"File","content":"AQL/"}"#,
        "82 a4 6b696e64 a4 46696c65 a7 636f6e74656e74 c4030102ff",
    )
    .await;
}

#[tokio::test]
async fn binary_data_does_not_become_text() {
    let error = from_hex::<String>("c4 02 68 69").unwrap_err();
    assert_eq!(error, "argument 1: invalid type: byte array, expected a string");
    let value = from_hex::<serde_json::Value>("81 a1 61 c4 03 01 02 ff").unwrap();
    assert_eq!(value, serde_json::json!({"a": "AQL/"}));
    let read = client_result::<ByteBuf>(Protocol::MessagePack, Bytes::from_static(b"\xc4\x02hi"));
    assert_eq!(read.await, Ok(ByteBuf::from(*b"hi")));
}
