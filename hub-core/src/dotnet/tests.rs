//! The bytes are those that Microsoft.AspNetCore.SignalR.Client 10.0 sends for each value.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::*;
use crate::reading;

/// Checks that a value is read from both protocols, and written to both.
#[allow(clippy::needless_pass_by_value, reason = "the callers create the value")]
fn both<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, json: &str, packed: &[u8]) {
    assert_eq!(reading::json::<T>(json, None).unwrap(), value);
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
    #[cfg(feature = "msgpack")]
    {
        assert_eq!(reading::message_pack::<T>(packed, None).as_ref(), Ok(&value));
        let mut written = Vec::new();
        crate::protocol::msgpack::write_value(&mut written, &value).unwrap();
        assert_eq!(written, packed, "{value:?}");
    }
}

fn json<T: DeserializeOwned + Debug>(json: &str) -> Result<T, String> {
    reading::json(json, None).map_err(|error| crate::args::json_text(&error))
}

/// A field with an adapter.
macro_rules! field {
    ($name:ident, $with:literal, $type:ty) => {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        struct $name(#[serde(with = $with)] $type);
    };
}

field!(Span, "time_span", Duration);
field!(Letter, "character", char);
field!(Day, "date_only", String);
field!(Clock, "time_only", String);
field!(Price, "decimal", f64);
field!(Default1, "enums", Color);
field!(Names, "enums::names", Color);
field!(Numbers, "enums::numbers", Color);
field!(Pair, "keyed", Plain);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Color {
    Red,
    Green,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plain {
    a: i32,
    b: String,
}

#[test]
fn a_time_span_is_text_in_json_and_ticks_in_messagepack() {
    let span = TimeSpan::from_ticks(937_840_050_000);
    both(span, r#""1.02:03:04.0050000""#, b"\xcf\x00\x00\x00\xda\x5b\x9f\x7f\x50");
    both(TimeSpan::from_ticks(10_000_000), r#""00:00:01""#, b"\xce\x00\x98\x96\x80");
    both(TimeSpan::from_ticks(-10_000_000), r#""-00:00:01""#, b"\xd2\xff\x67\x69\x80");

    let duration = Duration::from_millis(93_784_005);
    both(Span(duration), r#""1.02:03:04.0050000""#, b"\xcf\x00\x00\x00\xda\x5b\x9f\x7f\x50");
}

#[test]
fn a_time_span_that_is_no_duration_is_refused() {
    let refused = |text: &str| json::<Span>(text).unwrap_err();

    assert_eq!(
        refused(r#""-00:00:01""#),
        "expected a duration that is not negative, got -00:00:01"
    );
    assert_eq!(refused(r#""soon""#), r#"expected a duration such as "1.02:03:04.005", got "soon""#);
    for text in [
        r#""24:00:00""#,
        r#""00:60:00""#,
        r#""1""#,
        r#""1.00:00""#,
        r#""00:00:00.12345678""#,
        r#""+1:00:00""#,
        "true",
    ] {
        refused(text);
    }
    let longest = Duration::from_secs(u64::MAX);
    assert!(serde_json::to_string(&Span(longest)).is_err());
    assert_eq!(TimeSpan::from_ticks(i64::MIN).to_string(), "-10675199.02:48:05.4775808");
}

#[test]
fn a_date_is_text_in_json_and_a_day_number_in_messagepack() {
    both(DateOnly::new(2026, 11, 28).unwrap(), r#""2026-11-28""#, b"\xce\x00\x0b\x4a\x6b");
    both(Day("2026-11-28".to_owned()), r#""2026-11-28""#, b"\xce\x00\x0b\x4a\x6b");
    both(DateOnly::new(1, 1, 1).unwrap(), r#""0001-01-01""#, b"\x00");

    for text in [
        r#""2026-02-29""#,
        r#""2026-1-01""#,
        r#""2026-11-28T""#,
        r#""28.11.2026""#,
        r#""0000-01-01""#,
        "3652059",
        "-1",
    ] {
        assert!(json::<DateOnly>(text).unwrap_err().contains("expected a date such as"), "{text}");
    }
}

#[test]
fn the_months_of_all_years_follow_each_other() {
    let mut next = 0;
    for (year, month) in (1..=9999).flat_map(|year| (1..=12).map(move |month| (year, month))) {
        let first = DateOnly::from_day_number(next).unwrap();
        assert_eq!(first.year_month_day(), (year, month, 1));
        assert_eq!(DateOnly::new(year, month, 1), Some(first));
        let length = (28..=31).rev().find(|day| DateOnly::new(year, month, *day).is_some());
        let last = DateOnly::new(year, month, length.unwrap()).unwrap();
        assert_eq!(last.year_month_day(), (year, month, length.unwrap()));
        next = last.day_number() + 1;
    }
    // `DateOnly.MaxValue.DayNumber` + 1
    assert_eq!(next, 3_652_059);
    assert_eq!(DateOnly::from_day_number(next), None);
}

#[test]
fn a_time_of_day_is_text_in_json_and_ticks_in_messagepack() {
    let packed = b"\xcf\x00\x00\x00\x53\xd1\xbe\xd4\xb0";
    both(TimeOnly::from_ticks(360_001_230_000).unwrap(), r#""10:00:00.1230000""#, packed);
    both(Clock("10:00:00.1230000".to_owned()), r#""10:00:00.1230000""#, packed);

    for text in [r#""24:00:00""#, "864000000000", "-1", r#""10:00""#] {
        assert!(json::<TimeOnly>(text).is_err(), "{text}");
    }
}

#[test]
fn a_char_is_text_in_json_and_a_code_unit_in_messagepack() {
    both(Letter('x'), r#""x""#, b"\x78");
    both(Letter('é'), r#""é""#, b"\xcc\xe9");
    both(Char::try_from('x').unwrap(), r#""x""#, b"\x78");

    for text in [r#""""#, r#""xy""#, r#""😀""#, "55296", "65536"] {
        assert!(json::<Char>(text).unwrap_err().contains("a character up to U+FFFF"), "{text}");
    }
    assert!(serde_json::to_string(&Letter('😀')).is_err());
}

#[test]
fn an_enum_is_read_by_number_and_by_name_and_written_as_chosen() {
    both(Default1(Color::Green), "1", b"\xa5Green");
    both(Enum(Color::Green), "1", b"\xa5Green");
    both(Names(Color::Green), r#""Green""#, b"\xa5Green");
    both(Numbers(Color::Green), "1", b"\x01");

    for text in ["1", r#""Green""#, r#""green""#] {
        assert_eq!(json(text), Ok(Numbers(Color::Green)), "{text}");
        assert_eq!(json(text), Ok(Names(Color::Green)), "{text}");
    }
    assert_eq!(
        json::<Numbers>("2").unwrap_err(),
        "the enum has no variant 2, only `Red`, `Green`, from 0 on"
    );
    assert!(json::<Numbers>(r#""Blue""#).unwrap_err().contains("unknown variant `Blue`"));
    assert!(json::<Numbers>("-1").is_err());
}

#[test]
fn a_decimal_keeps_all_digits_in_both_protocols() {
    for (number, packed) in [
        ("79228162514264337593543950335", &b"\xbd79228162514264337593543950335"[..]),
        ("0.10", b"\xa40.10"),
        ("1234567890123.123456789", b"\xb71234567890123.123456789"),
    ] {
        both(number.parse::<Decimal>().unwrap(), number, packed);
        assert_eq!(json::<Decimal>(&format!("\"{number}\"")).unwrap().as_str(), number);
    }
    both(Price(1.1), "1.1", b"\xa31.1");

    for text in ["null", "[1]", r#""""#, r#"" 1""#, r#""1 ""#, r#""1_0""#, r#""NaN""#, r#""01""#] {
        assert!(json::<Decimal>(text).unwrap_err().contains("expected a decimal number"), "{text}");
    }
}

#[test]
fn a_struct_with_int_keys_is_an_object_in_json_and_an_array_in_messagepack() {
    let plain = || Plain { a: 1, b: "x".to_owned() };

    both(Pair(plain()), r#"{"a":1,"b":"x"}"#, b"\x92\x01\xa1x");
    both(Keyed(plain()), r#"{"a":1,"b":"x"}"#, b"\x92\x01\xa1x");
}

#[test]
fn adapters_inside_of_adapters_and_in_containers_keep_their_forms() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        period: TimeSpan,
        colors: Vec<Enum<Color>>,
    }
    let inner = Inner { period: TimeSpan::from_ticks(1), colors: vec![Enum(Color::Red)] };

    both(Keyed(inner), r#"{"period":"00:00:00.0000001","colors":[0]}"#, b"\x92\x01\x91\xa3Red");
}

#[test]
fn keys_of_dictionaries_have_the_forms_of_dotnet() {
    let days = BTreeMap::from([(DateOnly::new(2026, 11, 28).unwrap(), 1)]);
    both(days, r#"{"2026-11-28":1}"#, b"\x81\xce\x00\x0b\x4a\x6b\x01");
    both(BTreeMap::from([(Char::try_from('x').unwrap(), 1)]), r#"{"x":1}"#, b"\x81\x78\x01");
    let colors = BTreeMap::from([(Enum(Color::Green), 1)]);
    for text in [r#"{"Green":1}"#, r#"{"1":1}"#] {
        assert_eq!(json(text), Ok(colors.clone()), "{text}");
    }
    #[cfg(feature = "msgpack")]
    for packed in [&b"\x81\xa5Green\x01"[..], b"\x81\x01\x01"] {
        assert_eq!(reading::message_pack(packed, None), Ok(colors.clone()), "{packed:x?}");
    }

    let bools = BTreeMap::from([(true, 1)]);
    assert_eq!(json::<BTreeMap<bool, u8>>(r#"{"True":1}"#), Ok(bools.clone()));
    #[cfg(feature = "msgpack")]
    assert_eq!(reading::message_pack(b"\x81\xc3\x01", None), Ok(bools));
}
