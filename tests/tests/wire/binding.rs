//! Types of arguments and results, with the same values in JSON and in MessagePack.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use http_body_util::{BodyExt, Full};
use hub_core::protocol::{Message, Outcome, Protocol, convert, frame::Frames};
use hub_runtime::{HubApp, invocation::Cancellation, prelude::*};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use time::OffsetDateTime;
use tower_service::Service;
use uuid::Uuid;

use crate::support::{app, call};

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Shape {
    Point,
    Circle(f64),
    Named { side_length: u8 },
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Tagged {
    Join { room: String },
    Leave,
}

#[derive(Deserialize, Serialize)]
struct Meters(f32);

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    order_id: Uuid,
    shapes: Vec<Shape>,
    placed_at: DateTime<Utc>,
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
    by_number: BTreeMap<i32, Option<String>>,
}

#[derive(Deserialize, Serialize)]
struct Stamps {
    #[serde(with = "chrono::serde::ts_milliseconds")]
    millis: DateTime<Utc>,
    #[serde(with = "time::serde::timestamp")]
    seconds: OffsetDateTime,
}

#[derive(Deserialize, Serialize)]
struct Rfc3339(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

/// An application's own error type.
enum ShopError {
    SoldOut,
    Closed,
    Database,
}

impl IntoHubError for ShopError {
    fn into_hub_error(self) -> HubError {
        match self {
            Self::SoldOut => HubError::rejected("Sold out"),
            Self::Closed => HubError::denied("Closed"),
            Self::Database => HubError::internal("the password of the database is wrong"),
        }
    }
}

/// An injected value that reads the hub's state and awaits.
struct Greeting(String);

impl FromContext for Greeting {
    async fn from_context(call: &Invocation) -> HubResult<Self> {
        let hub: &Loop = call.hub().or_reject("another hub")?;
        tokio::task::yield_now().await;
        Ok(Self(format!("{} {}", hub.greeting, call.user_id().unwrap_or("guest"))))
    }
}

struct Token(Cancellation);

impl FromContext for Token {
    async fn from_context(call: &Invocation) -> HubResult<Self> {
        Ok(Self(call.cancellation().clone()))
    }
}

struct Loop {
    greeting: &'static str,
}

#[serverless_hub]
impl Loop {
    async fn uuid(&self, value: Uuid) -> HubResult<Uuid> {
        Ok(value)
    }

    async fn shape(&self, value: Shape) -> HubResult<Shape> {
        Ok(value)
    }

    async fn tagged(&self, value: Tagged) -> HubResult<Tagged> {
        Ok(value)
    }

    async fn order(&self, value: Order) -> HubResult<Order> {
        Ok(value)
    }

    async fn stamps(&self, value: Stamps) -> HubResult<Stamps> {
        Ok(value)
    }

    async fn chrono_time(&self, value: DateTime<Utc>) -> HubResult<DateTime<Utc>> {
        Ok(value)
    }

    async fn chrono_date(&self, value: NaiveDate) -> HubResult<NaiveDate> {
        Ok(value)
    }

    async fn time_time(&self, value: Rfc3339) -> HubResult<Rfc3339> {
        Ok(value)
    }

    async fn bytes(&self, value: Bytes) -> HubResult<Bytes> {
        Ok(value)
    }

    async fn byte_buf(&self, value: ByteBuf) -> HubResult<ByteBuf> {
        Ok(value)
    }

    async fn numbers(&self, wide: u64, low: i64, meters: Meters) -> HubResult<(u64, i64, Meters)> {
        Ok((wide, low, meters))
    }

    async fn small(
        &self,
        yes: bool,
        letter: char,
        text: Box<str>,
        unit: (),
    ) -> HubResult<(bool, char, Box<str>, ())> {
        Ok((yes, letter, text, unit))
    }

    async fn options(
        &self,
        first: String,
        second: Option<u8>,
        third: Option<String>,
    ) -> HubResult<String> {
        Ok(format!("{first} {second:?} {third:?}"))
    }

    async fn nothing(&self) {}

    async fn unit(&self) -> HubResult {
        Ok(())
    }

    async fn fail(&self, how: u8) -> Result<u8, ShopError> {
        match how {
            0 => Err(ShopError::SoldOut),
            1 => Err(ShopError::Closed),
            2 => Err(ShopError::Database),
            fine => Ok(fine),
        }
    }

    async fn greet(&self, #[from_context] greeting: Greeting, name: String) -> HubResult<String> {
        Ok(format!("{} {name}", greeting.0))
    }

    async fn cancelled(
        &self,
        ctx: &Context<Self>,
        #[from_context] token: Token,
    ) -> HubResult<(bool, bool)> {
        Ok((ctx.cancellation().is_cancelled(), token.0.is_cancelled()))
    }
}

fn hub() -> HubApp {
    app(Loop { greeting: "Hello" })
}

/// The outcome of a completion. A result is encoded in the client's protocol.
#[derive(Debug, PartialEq)]
enum Read {
    Result(Bytes),
    Error(String),
    Void,
}

async fn read(protocol: Protocol, method: &str, arguments: Bytes) -> Read {
    let message = Message::Invocation {
        invocation_id: Some("7".to_owned()),
        target: method.to_owned(),
        arguments,
        stream_ids: Vec::new(),
        trace: None,
    };
    let mut request =
        call("messages", method, "").map(|_| Full::new(protocol.encode_body(&message)));
    let content_type = protocol.content_type().parse().unwrap();
    request.headers_mut().insert("content-type", content_type);
    let Ok(answer) = hub().service().call(request).await;
    let mut frames = Frames::new(usize::MAX);
    frames.switch_to(protocol);
    frames.push(&answer.into_body().collect().await.unwrap().to_bytes());
    let frame = frames.next_frame().unwrap().expect("a completion");
    match protocol.parse(&frame).unwrap() {
        Some(Message::Completion { outcome: Outcome::Result(value), .. }) => Read::Result(value),
        Some(Message::Completion { outcome: Outcome::Error(text), .. }) => Read::Error(text),
        Some(Message::Completion { outcome: Outcome::Void, .. }) => Read::Void,
        other => panic!("no completion: {other:?}"),
    }
}

/// Calls a method in both protocols with these JSON arguments. Returns the result as JSON.
async fn both(method: &str, arguments: &str) -> Result<String, String> {
    let json = Bytes::copy_from_slice(arguments.as_bytes());
    let packed = convert(&json, Protocol::Json, Protocol::MessagePack).unwrap();
    let shown = |read: Read, protocol| match read {
        Read::Result(value) => {
            let value = convert(&value, protocol, Protocol::Json).unwrap();
            let value: serde_json::Value = serde_json::from_slice(&value).unwrap();
            Ok(value.to_string())
        }
        Read::Error(text) => Err(text),
        Read::Void => Ok(String::new()),
    };

    let in_json = shown(read(Protocol::Json, method, json).await, Protocol::Json);
    let in_packed = shown(read(Protocol::MessagePack, method, packed).await, Protocol::MessagePack);

    assert_eq!(in_json.is_ok(), in_packed.is_ok(), "{method}: {in_json:?} {in_packed:?}");
    if !in_json.as_ref().is_err_and(|text| text.contains("error id")) {
        assert_eq!(in_json, in_packed, "{method}");
    }
    in_json
}

/// Checks that a method returns its argument unchanged.
async fn comes_back(method: &str, value: &str) {
    let expected: serde_json::Value = serde_json::from_str(value).unwrap();

    let back = both(method, &format!("[{value}]")).await;

    assert_eq!(back, Ok(expected.to_string()), "{method}");
}

#[tokio::test]
async fn uuids_are_text() {
    comes_back("uuid", r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#).await;
    let error = both("uuid", r#"["nothing like it"]"#).await.unwrap_err();
    assert!(error.starts_with("argument 1 (`value`): "), "{error}");
}

#[tokio::test]
async fn every_form_of_enum_binds() {
    comes_back("shape", r#""point""#).await;
    comes_back("shape", r#"{"circle":1.5}"#).await;
    comes_back("shape", r#"{"named":{"side_length":3}}"#).await;
    comes_back("tagged", r#"{"kind":"join","room":"rust"}"#).await;
    comes_back("tagged", r#"{"kind":"leave"}"#).await;
}

#[tokio::test]
async fn structs_bind_with_all_fields() {
    let order = r#"{"orderId":"67e55044-10b1-426f-9247-bb680e5fe0c8","shapes":["point",{"circle":2.0}],
        "placedAt":"2023-11-14T22:13:20Z","dueAt":"2023-11-15T00:13:20.5+02:00","byNumber":{"-7":null,"8":"x"}}"#;
    comes_back("order", order).await;
}

#[tokio::test]
async fn dates_and_timestamps_bind_as_text_and_as_numbers() {
    comes_back("chronoTime", r#""2023-11-14T22:13:20.123Z""#).await;
    comes_back("chronoDate", r#""2023-11-14""#).await;
    comes_back("timeTime", r#""2023-11-14T22:13:20Z""#).await;
    comes_back("stamps", r#"{"millis":1700000000123,"seconds":1700000000}"#).await;
}

#[tokio::test]
async fn a_native_timestamp_binds_to_the_dates_of_both_crates() {
    let moment = || Bytes::from_static(b"\x91\xd6\xff\x65\x53\xf1\x00");
    let text = Read::Result(Bytes::from_static(b"\xb42023-11-14T22:13:20Z"));

    assert_eq!(read(Protocol::MessagePack, "chronoTime", moment()).await, text);
    assert_eq!(read(Protocol::MessagePack, "timeTime", moment()).await, text);
}

#[tokio::test]
async fn binary_is_native_in_messagepack_and_base64_in_json() {
    let binary = || Bytes::from_static(b"\x91\xc4\x03\x01\x02\xff");
    for method in ["bytes", "byteBuf"] {
        let packed = read(Protocol::MessagePack, method, binary()).await;
        assert_eq!(packed, Read::Result(Bytes::from_static(b"\xc4\x03\x01\x02\xff")));

        for argument in ["[[1,2,255]]", "[\"AQL/\"]"] {
            let json = read(Protocol::Json, method, argument.into()).await;
            assert_eq!(json, Read::Result(Bytes::from_static(b"\"AQL/\"")));
        }
    }
}

#[tokio::test]
async fn numbers_keep_their_full_range() {
    let wide = format!("[{},{},0.5]", u64::MAX, i64::MIN);

    assert_eq!(both("numbers", &wide).await, Ok(wide));
    let error = both("numbers", "[-1,0,1]").await.unwrap_err();
    assert_eq!(error, "argument 1 (`wide`): invalid value: integer `-1`, expected u64");
}

#[tokio::test]
async fn small_types_bind() {
    let small = r#"[true,"ü","text",null]"#;

    assert_eq!(both("small", small).await, Ok(small.to_owned()));
}

#[tokio::test]
async fn trailing_options_may_be_missing_and_others_may_not() {
    assert_eq!(both("options", r#"["a"]"#).await, Ok(r#""a None None""#.to_owned()));
    assert_eq!(both("options", r#"["a",1]"#).await, Ok(r#""a Some(1) None""#.to_owned()));
    assert_eq!(
        both("options", r#"["a",null,"b"]"#).await,
        Ok(r#""a None Some(\"b\")""#.to_owned())
    );
    assert_eq!(both("options", "[]").await, Err("argument 1 (`first`) is missing".to_owned()));
    let many = both("options", r#"["a",1,"b",2]"#).await;
    assert_eq!(many, Err("too many arguments: expected 3 arguments, got 4".to_owned()));
    let wrong = both("options", r#"["a",1,2]"#).await;
    assert_eq!(
        wrong,
        Err("argument 3 (`third`): invalid type: integer `2`, expected a string".to_owned())
    );
}

#[tokio::test]
async fn nothing_is_void_and_a_unit_is_a_value() {
    assert_eq!(both("nothing", "[]").await, Ok(String::new()));
    assert_eq!(both("unit", "[]").await, Ok("null".to_owned()));
}

#[tokio::test]
async fn custom_errors_have_texts_for_client_and_log() {
    assert_eq!(both("fail", "[3]").await, Ok("3".to_owned()));
    assert_eq!(both("fail", "[0]").await, Err("Sold out".to_owned()));
    assert_eq!(both("fail", "[1]").await, Err("403 Forbidden: Closed".to_owned()));
    let internal = both("fail", "[2]").await.unwrap_err();
    assert!(internal.contains("error id") && !internal.contains("password"), "{internal}");
}

#[tokio::test]
async fn extractors_can_await_and_access_hub_and_cancellation() {
    assert_eq!(both("greet", r#"["Ada"]"#).await, Ok(r#""Hello guest Ada""#.to_owned()));
    assert_eq!(both("cancelled", "[]").await, Ok("[false,false]".to_owned()));
}
