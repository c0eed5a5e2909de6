//! The app of `typescript.test.js`: one method for each form of a value. `NAME` sends its samples to the caller, one by
//! one, as messages and as questions, and returns them. `take_NAME` gets one sample and returns its number.

#![allow(clippy::option_option, clippy::ptr_arg, reason = "forms of the table")]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use hub_runtime::{prelude::*, timestamp::Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};

/// How loud a room is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Mood {
    Calm,
    VeryLoud,
}

/// An enum with docs on its variants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
enum Level {
    /// Nothing happens.
    Low,
    /// Something */ happens.
    High,
}

/// As serde writes an enum by default.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
enum External {
    Nothing,
    One(u8),
    Two(u8, String),
    Named {
        /// How many.
        count: u32,
    },
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Internal {
    Nothing,
    Wrapped(Point),
    Named { line_count: u32, mood: Option<Mood> },
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Nothing,
    One(Point),
    Two(u8, String),
    Named { count: u32 },
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Untagged {
    Text(String),
    Point(Point),
    Numbers(Vec<i32>),
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    point: Point,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct FlatEnum {
    id: u32,
    #[serde(flatten)]
    kind: Internal,
}

/// An enum and the other members.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct FlatChoice {
    id: u32,
    #[serde(flatten)]
    choice: External,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct FlatNumbers {
    id: String,
    #[serde(flatten)]
    counts: BTreeMap<String, u32>,
}

/// A tree.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Tree {
    value: char,
    children: Vec<Self>,
    parent: Option<Box<Self>>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Id(u64);

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Unit;

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct Numbers {
    /// Beyond 2^53.
    wide: u64,
    low_value: i64,
    size: usize,
    huge: u128,
    float: f64,
    byte: u8,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Optional {
    plain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    #[serde(default)]
    with_default: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    list: Vec<Option<u8>>,
    twice: Option<Option<bool>>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Dates {
    plain: DateTime<Utc>,
    #[serde(with = "hub_runtime::timestamp")]
    #[schemars(with = "hub_runtime::schema::Timestamp")]
    adapted: SystemTime,
    #[serde(with = "hub_runtime::timestamp")]
    #[schemars(with = "Option<hub_runtime::schema::Timestamp>")]
    maybe: Option<DateTime<Utc>>,
    list: Vec<Timestamp<DateTime<Utc>>>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Bytes {
    list: Vec<u8>,
    #[serde(with = "hub_runtime::binary")]
    #[schemars(with = "hub_runtime::schema::Binary")]
    adapted: Vec<u8>,
    #[schemars(with = "Option<hub_runtime::schema::Binary>")]
    buffer: Option<ByteBuf>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Maps {
    by_text: BTreeMap<String, Point>,
    by_number: BTreeMap<i32, u8>,
    by_id: BTreeMap<u64, String>,
    by_mood: BTreeMap<Mood, u8>,
    by_level: BTreeMap<Level, u8>,
    by_flag: BTreeMap<bool, u8>,
    nested: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

/// A page of a list.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Page<T> {
    items: Vec<T>,
    next: Option<u32>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Names {
    #[serde(rename = "größe")]
    size: u8,
    #[serde(rename = "a-b c\"d'")]
    quoted: u8,
    class: u8,
    #[serde(rename = "1")]
    digit: u8,
    #[serde(rename = "constructor")]
    constructor: Option<u8>,
}

/// A type without a schema.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Opaque {
    secret: u8,
}

/// Another type with the name of a client.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FormsClient")]
struct Collision {
    text: String,
}

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_860_000_123)
}

fn date() -> DateTime<Utc> {
    at().into()
}

struct Forms;

/// Sends each sample, and compares the answers. Returns the samples.
macro_rules! forms {
    ($($name:ident $take:ident $ask:ident: $type:ty = [$($sample:expr),+ $(,)?];)+) => {
        /// Gets values.
        #[hub_client]
        trait FormsClient {
            $(async fn $name(&self, value: &$type);
            async fn $ask(&self, value: &$type) -> $type;)+
        }

        #[serverless_hub(client = FormsClient)]
        impl Forms {
            async fn negotiate(&self) -> HubResult<Negotiation> {
                Ok(Negotiation::anonymous())
            }

            $(async fn $name(&self, ctx: &Context<Self>) -> HubResult<Vec<$type>> {
                let samples: Vec<$type> = vec![$($sample),+];
                for sample in &samples {
                    let caller = ctx.clients().caller();
                    caller.$name(sample).await?;
                    if caller.$ask(sample).await.map_err(HubError::rejected)? != *sample {
                        return Err(HubError::rejected(concat!(stringify!($ask), ": another value")));
                    }
                }
                Ok(samples)
            }

            async fn $take(&self, value: $type) -> HubResult<usize> {
                let samples: Vec<$type> = vec![$($sample),+];
                samples.iter().position(|sample| *sample == value).or_reject("no such sample")
            })+

            /// Adds numbers.
            ///
            /// # Arguments
            ///
            /// * `numbers` - the numbers
            async fn sum(&self, #[hub(arguments)] numbers: Vec<i32>) -> HubResult<i32> {
                Ok(numbers.into_iter().sum())
            }

            async fn pair(&self, #[hub(arguments)] pair: (u8, String)) -> HubResult<String> {
                Ok(format!("{} {}", pair.0, pair.1))
            }

            /// A text with options.
            async fn options(&self, r#class: String, first: Option<u8>, second: Option<Mood>) -> HubResult<String> {
                let mood = second.map(|mood| serde_json::to_string(&mood).unwrap_or_default());
                Ok(format!("{class} {first:?} {mood:?}"))
            }

            async fn nothing(&self) {}

            /// Calls a method that the contract does not name.
            async fn call(&self, ctx: &Context<Self>, method: String) -> HubResult {
                Ok(ctx.clients().caller().send(&method, ()).await?)
            }
        }
    };
}

forms! {
    booleans take_booleans ask_booleans: bool = [true, false];
    numbers take_numbers ask_numbers: Numbers = [
        Numbers { wide: 1 << 52, low_value: -(1 << 52), size: 1, huge: 7, float: 0.5, byte: 255 },
    ];
    texts take_texts ask_texts: String = ["a \"b\" \u{1f600}".to_owned(), String::new()];
    letters take_letters ask_letters: char = ['a', '\u{1f600}'];
    units take_units ask_units: () = [()];
    unit_structs take_unit_structs ask_unit_structs: Unit = [Unit];
    newtypes take_newtypes ask_newtypes: Id = [Id(7)];
    tuples take_tuples ask_tuples: (u8, String, (bool, Option<Point>)) = [
        (1, "a".to_owned(), (true, None)),
        (2, "b".to_owned(), (false, Some(Point { x: 1, y: 2 }))),
    ];
    optionals take_optionals ask_optionals: Optional = [
        Optional { plain: None, skipped: None, with_default: 0, list: vec![], twice: None },
        Optional { plain: Some("a".into()), skipped: Some("b".into()), with_default: 3, list: vec![None, Some(1)], twice: Some(Some(true)) },
    ];
    moods take_moods ask_moods: Mood = [Mood::Calm, Mood::VeryLoud];
    levels take_levels ask_levels: Level = [Level::Low, Level::High];
    externals take_externals ask_externals: External = [
        External::Nothing,
        External::One(1),
        External::Two(1, "a".into()),
        External::Named { count: 2 },
    ];
    internals take_internals ask_internals: Internal = [
        Internal::Nothing,
        Internal::Wrapped(Point { x: 1, y: 2 }),
        Internal::Named { line_count: 2, mood: None },
    ];
    adjacents take_adjacents ask_adjacents: Adjacent = [
        Adjacent::Nothing,
        Adjacent::One(Point { x: 1, y: 2 }),
        Adjacent::Two(1, "a".into()),
        Adjacent::Named { count: 2 },
    ];
    untagged take_untagged ask_untagged: Untagged = [
        Untagged::Text("a".into()),
        Untagged::Point(Point { x: 1, y: 2 }),
        Untagged::Numbers(vec![1, 2, 3]),
    ];
    flat take_flat ask_flat: Flat = [
        Flat { id: 1, point: Point { x: 1, y: 2 }, more: BTreeMap::new() },
        Flat { id: 1, point: Point { x: 1, y: 2 }, more: [("z".to_owned(), json!([1]))].into() },
    ];
    flat_enums take_flat_enums ask_flat_enums: FlatEnum = [
        FlatEnum { id: 1, kind: Internal::Nothing },
        FlatEnum { id: 1, kind: Internal::Wrapped(Point { x: 1, y: 2 }) },
    ];
    flat_choices take_flat_choices ask_flat_choices: FlatChoice = [
        FlatChoice { id: 1, choice: External::One(1), more: [("z".to_owned(), json!([1]))].into() },
        FlatChoice { id: 1, choice: External::Named { count: 2 }, more: BTreeMap::new() },
    ];
    flat_numbers take_flat_numbers ask_flat_numbers: FlatNumbers = [
        FlatNumbers { id: "a".into(), counts: [("b".to_owned(), 2)].into() },
    ];
    trees take_trees ask_trees: Tree = [
        Tree { value: 'a', children: vec![Tree { value: 'b', children: vec![], parent: None }], parent: None },
    ];
    dates take_dates ask_dates: Dates = [
        Dates { plain: date(), adapted: at(), maybe: None, list: vec![] },
        Dates { plain: date(), adapted: at(), maybe: Some(date()), list: vec![Timestamp(date())] },
    ];
    bytes take_bytes ask_bytes: Bytes = [
        Bytes { list: vec![1, 255], adapted: vec![1, 255], buffer: None },
        Bytes { list: vec![], adapted: vec![], buffer: Some(ByteBuf::from(vec![1])) },
    ];
    maps take_maps ask_maps: Maps = [
        Maps {
            by_text: [("a".to_owned(), Point { x: 1, y: 2 })].into(),
            by_number: [(-1, 2)].into(),
            by_id: [(7, "a".to_owned())].into(),
            by_mood: [(Mood::VeryLoud, 1)].into(),
            by_level: [(Level::Low, 1)].into(),
            by_flag: [(true, 1)].into(),
            nested: [("a".to_owned(), [("b".to_owned(), vec![1])].into())].into(),
        },
    ];
    pages take_pages ask_pages: Page<Point> = [Page { items: vec![Point { x: 1, y: 2 }], next: None }];
    text_pages take_text_pages ask_text_pages: Page<String> = [Page { items: vec!["a".into()], next: Some(1) }];
    sets take_sets ask_sets: BTreeSet<Mood> = [[Mood::Calm].into()];
    arrays take_arrays ask_arrays: [Option<i16>; 2] = [[Some(1), None]];
    values take_values ask_values: Value = [json!(null), json!({"a": [1, "b"]})];
    opaque take_opaque ask_opaque: Opaque = [Opaque { secret: 1 }];
    named take_named ask_named: Names = [
        Names { size: 1, quoted: 2, class: 3, digit: 4, constructor: None },
    ];
    collisions take_collisions ask_collisions: Collision = [Collision { text: "a".into() }];
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Forms).build()?;
    Ok(app.run().await?)
}
