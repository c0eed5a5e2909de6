//! Reads the arguments that .NET clients sent: each frame is the right value, or a listed difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use bytes::Bytes;
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use hub_core::{
    Invocation,
    protocol::{Message, Protocol, frame::Frames},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::read;
use crate::values::{call_with, hex};

/// One line of the recording. The other members tell what the hub in C# and ours made of it when it was recorded.
#[derive(Deserialize)]
struct Recorded {
    dotnet: String,
    protocol: String,
    frame: String,
}

impl Recorded {
    /// The letter of the encoding: MessagePack with the client's options (M), and with two other resolvers (C, S),
    /// and JSON of System.Text.Json (J) and Newtonsoft (N).
    fn letter(&self) -> char {
        match &*self.protocol {
            "MessagePack" => 'M',
            "MessagePack (ContractlessStandardResolver)" => 'C',
            "MessagePack (StandardResolver)" => 'S',
            "JSON (System.Text.Json)" => 'J',
            "JSON (Newtonsoft)" => 'N',
            other => panic!("{other}"),
        }
    }

    fn call(&self) -> Invocation {
        let (protocol, frame) = match self.letter() {
            'J' | 'N' => (Protocol::Json, self.frame.replace('\u{241e}', "\u{1e}").into()),
            _ => (Protocol::MessagePack, hex(&self.frame)),
        };
        let mut frames = Frames::new(usize::MAX);
        frames.switch_to(protocol);
        frames.push(&frame);
        let frame = frames.next_frame().unwrap().expect("a frame");
        let Some(Message::Invocation { target, arguments, .. }) = protocol.parse(&frame).unwrap()
        else {
            panic!("no call: {}", self.frame);
        };
        assert_eq!(target, "echo");
        call_with(protocol, arguments)
    }
}

type Read = dyn Fn(&Invocation) -> Result<String, String>;

/// What a frame is read as.
struct Row {
    letters: &'static str,
    dotnet: &'static str,
    rust: &'static str,
    read: Box<Read>,
    expected: Result<String, &'static str>,
}

fn row<T: DeserializeOwned + Debug>(
    letters: &'static str,
    dotnet: &'static str,
    expected: Result<T, &'static str>,
) -> Row {
    Row {
        letters,
        dotnet,
        rust: std::any::type_name::<T>(),
        read: Box::new(|call| {
            let value = call.argument::<T>(0).map_err(|error| error.text().to_owned())?;
            Ok(format!("{value:?}"))
        }),
        expected: expected.map(|value| format!("{value:?}")),
    }
}

/// A frame that is read as this value in these encodings.
fn is<T: DeserializeOwned + Debug>(letters: &'static str, dotnet: &'static str, value: T) -> Row {
    row(letters, dotnet, Ok(value))
}

/// A frame that this type refuses, with a part of the error. The reason is for readers of the list.
fn refuses<T: DeserializeOwned + Debug>(
    letters: &'static str,
    dotnet: &'static str,
    error: &'static str,
    reason: &'static str,
) -> Row {
    assert!(!reason.is_empty());
    row::<T>(letters, dotnet, Err(error))
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Color {
    Red,
    Green,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "read by `Debug`")]
struct Plain {
    a: i32,
    b: String,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "read by `Debug`")]
struct Items {
    item1: i32,
    item2: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[allow(dead_code, reason = "read by `Debug`")]
enum Change {
    Moved { n: i32 },
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "read by `Debug`")]
struct Big {
    long: i64,
    when: DateTime<Utc>,
    id: Uuid,
    data: ByteBuf,
}

fn zoned(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    zoned(text).to_utc()
}

fn offset_date(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
}

fn naive(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

const ALL: &str = "MCSJN";
const PACKED: &str = "MCS";
const TEXT: &str = "JN";
const GUID: &str = "a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8";
const AT: &str = "2026-11-28T10:00:00.1234567Z";
const NAMED_FLOAT: &str = "Newtonsoft writes it as text. JSON has no such number";
const TICKS: &str = "the client writes a number in MessagePack. `hub_runtime::dotnet` reads both";
const DECIMAL: &str = "a decimal is a number in JSON and text in MessagePack";

fn numbers() -> Vec<Row> {
    vec![
        is(ALL, "bool", true),
        is(ALL, "byte", 255_u8),
        is(ALL, "sbyte", -128_i8),
        is(ALL, "short", i16::MIN),
        is(ALL, "ushort", u16::MAX),
        is(ALL, "int", i32::MIN),
        is(ALL, "int", i128::from(i32::MIN)),
        is(ALL, "int", json!(i32::MIN)),
        is(ALL, "uint", u32::MAX),
        is(ALL, "long", i64::MAX),
        is(ALL, "long", json!(i64::MAX)),
        is(ALL, "long min", i64::MIN),
        is(ALL, "ulong", u64::MAX),
        is(ALL, "ulong", u128::from(u64::MAX)),
        is(ALL, "float", 0.1_f32),
        is(ALL, "float whole", 3.0_f32),
        is(ALL, "float max", f32::MAX),
        is(PACKED, "float NaN", f32::NAN),
        refuses::<f32>("N", "float NaN", "string \"NaN\"", NAMED_FLOAT),
        is(PACKED, "float Inf", f32::INFINITY),
        refuses::<f32>("N", "float Inf", "string \"Infinity\"", NAMED_FLOAT),
        is(ALL, "double", 0.1_f64),
        is(ALL, "double whole", 3.0_f64),
        is(ALL, "double -0", -0.0_f64),
        is(ALL, "double max", f64::MAX),
        is(ALL, "double eps", 5e-324_f64),
        is(PACKED, "double NaN", f64::NAN),
        refuses::<f64>("N", "double NaN", "string \"NaN\"", NAMED_FLOAT),
        is(PACKED, "double -Inf", f64::NEG_INFINITY),
        refuses::<f64>("N", "double -Inf", "string \"-Infinity\"", NAMED_FLOAT),
        is(PACKED, "decimal max", "79228162514264337593543950335".to_owned()),
        refuses::<String>(TEXT, "decimal max", "expected a string", DECIMAL),
        is(PACKED, "decimal 0.10", "0.10".to_owned()),
        is(TEXT, "decimal 0.10", 0.1_f64),
        is(PACKED, "decimal 1.1", "1.1".to_owned()),
        is(TEXT, "decimal 1.1", 1.1_f64),
        is(PACKED, "decimal prec", "1234567890123.123456789".to_owned()),
        refuses::<String>(TEXT, "decimal prec", "expected a string", DECIMAL),
        is(ALL, "int? null", None::<i32>),
        is(ALL, "int? 5", Some(5)),
        is("MCSJ", "Half", 1.5_f32),
        refuses::<f32>("N", "Half", "string \"1.5\"", "Newtonsoft writes a Half as text"),
        is("J", "Int128", i128::MAX),
        refuses::<i128>("N", "Int128", "invalid number", "Newtonsoft writes an Int128 as text"),
        is("J", "Int128 5", 5_i128),
        refuses::<i128>("N", "Int128 5", "invalid number", "Newtonsoft writes an Int128 as text"),
        is("N", "BigInteger", 123_456_789_012_345_678_901_234_567_890_i128),
        is(PACKED, "BigInteger", ByteBuf::from(hex("D20A3F4EEEE073C3F60FE98E01").to_vec())),
        refuses::<i128>(
            "J",
            "BigInteger",
            "invalid number",
            "System.Text.Json writes its properties, without the digits",
        ),
        refuses::<i128>(
            PACKED,
            "BigInteger",
            "byte array",
            "the client writes bytes, the lowest first",
        ),
    ]
}

fn texts() -> Vec<Row> {
    vec![
        is(TEXT, "char", 'x'),
        is(TEXT, "char é", 'é'),
        refuses::<char>(PACKED, "char", "integer `120`", TICKS),
        refuses::<char>(PACKED, "char é", "integer `233`", TICKS),
        is(ALL, "string", "a\"é😀\n".to_owned()),
        is(ALL, "string null", None::<String>),
        is(ALL, "string \"\"", String::new()),
        is(ALL, "Guid", GUID.parse::<Uuid>().unwrap()),
        is(ALL, "Uri", "http://x/ä?b=1".to_owned()),
        is(ALL, "Version", "1.2.3.4".to_owned()),
        is(ALL, "Version3", "1.2.3".to_owned()),
        is(ALL, "byte[]", ByteBuf::from([1, 2, 255])),
        is(ALL, "byte[]", Bytes::from_static(&[1, 2, 255])),
        is(ALL, "byte[]", vec![1_u8, 2, 255]),
        is(ALL, "byte[]", json!("AQL/")),
        is("MCSJ", "ROM<byte>", ByteBuf::from([1, 2, 255])),
        refuses::<ByteBuf>(
            "N",
            "ROM<byte>",
            "map",
            "Newtonsoft writes its properties, without the bytes",
        ),
        is(ALL, "byte[0]", ByteBuf::new()),
        is(ALL, "byte[0]", Vec::<u8>::new()),
    ]
}

fn dates() -> Vec<Row> {
    vec![
        is(ALL, "DateTime Utc", utc(AT)),
        is(ALL, "DateTime Utc", zoned(AT)),
        is(ALL, "DateTime Utc", naive("2026-11-28T10:00:00.1234567")),
        is(ALL, "DateTime Utc", offset_date(AT)),
        is(ALL, "DateTime Utc", AT.parse::<jiff::Timestamp>().unwrap()),
        is(ALL, "DateTime Utc", std::time::SystemTime::from(zoned(AT))),
        is(ALL, "DateTime Unspec", naive("2026-11-28T10:00:00.1234567")),
        // MessagePack has no time without a zone: the client writes what the clock shows as UTC.
        is(PACKED, "DateTime Unspec", utc(AT)),
        refuses::<DateTime<Utc>>(
            TEXT,
            "DateTime Unspec",
            "expected a date with a zone",
            "the text has no zone",
        ),
        is(ALL, "DateTime Local", utc(AT)),
        is(ALL, "DateTime Utc whole", utc("2026-11-28T10:00:00Z")),
        is(ALL, "DateTime Min", naive("0001-01-01T00:00:00")),
        is(ALL, "DateTime Max", utc("9999-12-31T23:59:59.9999999Z")),
        is(ALL, "DTO +02", zoned("2026-11-28T12:00:00.1234567+02:00")),
        is(ALL, "DTO +02", utc(AT)),
        is(ALL, "DTO +02", offset_date("2026-11-28T12:00:00.1234567+02:00")),
        is(ALL, "DTO +02", AT.parse::<jiff::Timestamp>().unwrap()),
        is(ALL, "DTO 0", utc("2026-11-28T12:00:00Z")),
        is(TEXT, "DateOnly", NaiveDate::from_ymd_opt(2026, 11, 28).unwrap()),
        is(TEXT, "DateOnly", time::Date::from_ordinal_date(2026, 332).unwrap()),
        refuses::<NaiveDate>(PACKED, "DateOnly", "integer `739947`", TICKS),
        is(TEXT, "TimeOnly", NaiveTime::from_hms_milli_opt(10, 0, 0, 123).unwrap()),
        refuses::<NaiveTime>(PACKED, "TimeOnly", "integer `360001230000`", TICKS),
        is(TEXT, "TimeSpan", "1.02:03:04.0050000".to_owned()),
        is(PACKED, "TimeSpan", 937_840_050_000_i64),
        is(TEXT, "TimeSpan 1s", "00:00:01".to_owned()),
        is(PACKED, "TimeSpan 1s", 10_000_000_i64),
    ]
}

fn objects() -> Vec<Row> {
    let plain = || Plain { a: 1, b: "x".to_owned() };
    let big = || Big {
        long: i64::MAX,
        when: utc(AT),
        id: GUID.parse().unwrap(),
        data: ByteBuf::from([1, 255]),
    };
    let named = "the member names the type only with System.Text.Json";
    vec![
        is("M", "enum", Color::Green),
        is("CSJN", "enum", 1_u8),
        refuses::<Color>(
            "CSJN",
            "enum",
            "integer `1`, expected `Red` or `Green`",
            "the client writes the number",
        ),
        is("MJN", "enum strconv", Color::Green),
        is("CS", "enum strconv", 1_u8),
        is(PACKED, "(int,string)", (1, "x".to_owned())),
        refuses::<(i32, String)>(
            "J",
            "(int,string)",
            "map",
            "System.Text.Json writes an empty object",
        ),
        is("N", "(int,string)", Items { item1: 1, item2: "x".to_owned() }),
        is(PACKED, "Tuple<int,string>", (1, "x".to_owned())),
        is(TEXT, "Tuple<int,string>", Items { item1: 1, item2: "x".to_owned() }),
        is(ALL, "int[]", [1, 2, 3]),
        is(ALL, "List<List<int>>", vec![vec![1], vec![]]),
        is(ALL, "HashSet<int>", BTreeSet::from([1, 2])),
        is("MCSJ", "Dict<string>", BTreeMap::from([("Zed".to_owned(), 1), ("a".to_owned(), 2)])),
        // Newtonsoft writes keys in camel case.
        is("N", "Dict<string>", BTreeMap::from([("zed".to_owned(), 1), ("a".to_owned(), 2)])),
        is(
            ALL,
            "Dict<int>",
            BTreeMap::from([(10_u32, "b"), (5, "a")].map(|(key, value)| (key, value.to_owned()))),
        ),
        is(ALL, "Dict<long>", BTreeMap::from([(i64::MAX, 1)])),
        is(ALL, "Dict<Guid>", BTreeMap::from([(GUID.parse::<Uuid>().unwrap(), 1)])),
        is("MJ", "Dict<enum>", BTreeMap::from([(Color::Green, 1)])),
        is("N", "Dict<enum>", BTreeMap::from([("green".to_owned(), 1)])),
        is("CS", "Dict<enum>", BTreeMap::from([(1, 1)])),
        is(
            TEXT,
            "Dict<DateOnly>",
            BTreeMap::from([(NaiveDate::from_ymd_opt(2026, 11, 28).unwrap(), 1)]),
        ),
        is(PACKED, "Dict<DateOnly>", BTreeMap::from([(739_947, 1)])),
        is(TEXT, "Dict<char>", BTreeMap::from([('x', 1)])),
        is(PACKED, "Dict<char>", BTreeMap::from([(120, 1)])),
        is(ALL, "Dict<bool>", BTreeMap::from([(true, 1)])),
        is(ALL, "class", plain()),
        is(ALL, "record", plain()),
        is(ALL, "[Key(0)]", plain()),
        is(ALL, "[Key(\"a\")]", plain()),
        is(ALL, "MessagePackObject(true)", plain()),
        is(ALL, "lower class", plain()),
        is("J", "polymorphic", Change::Moved { n: 5 }),
        refuses::<Change>("MCSN", "polymorphic", "missing field `kind`", named),
        is(ALL, "big class", big()),
        is(TEXT, "object anon", json!({"x": 1, "y": "a"})),
        is(PACKED, "object anon", json!({"X": 1, "Y": "a"})),
        is(ALL, "object list", json!([1, "a", null, 1.5, true])),
    ]
}

#[test]
fn each_frame_is_the_right_value_or_a_listed_difference() {
    let rows: Vec<Row> = [numbers(), texts(), dates(), objects()].into_iter().flatten().collect();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    let recording = read("dotnet-values.jsonl");
    assert_eq!(recording.lines().count(), 391);
    for line in recording.lines() {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        let call = recorded.call();
        let matching = rows.iter().enumerate().filter(|(_, row)| {
            row.dotnet == recorded.dotnet && row.letters.contains(recorded.letter())
        });
        let mut count = 0;
        for (index, row) in matching {
            count += 1;
            used.insert(index);
            let read = (row.read)(&call);
            let right = match (&row.expected, &read) {
                (Ok(expected), Ok(read)) => expected == read,
                (Err(part), Err(error)) => error.contains(part),
                _ => false,
            };
            if !right {
                let (name, letter, rust) = (row.dotnet, recorded.letter(), row.rust);
                wrong.push(format!(
                    "{name} {letter} {rust}: {read:?} instead of {:?}",
                    row.expected
                ));
            }
        }
        if count == 0 {
            wrong.push(format!("{} {}: no row", recorded.dotnet, recorded.letter()));
        }
    }
    for (index, row) in rows.iter().enumerate() {
        if !used.contains(&index) {
            wrong.push(format!("{} {}: no frame", row.dotnet, row.letters));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A frame of a value that no row has is not read by chance.
#[test]
fn a_frame_is_read_as_one_argument() {
    let line = read("dotnet-values.jsonl").lines().next().unwrap().to_owned();
    let recorded: Recorded = serde_json::from_str(&line).unwrap();

    assert_eq!(recorded.call().arguments::<Vec<Value>>().unwrap(), [json!(true)]);
}
