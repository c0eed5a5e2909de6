//! Errors of arguments name what was expected and what came.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{from_hex, from_json};

#[derive(Debug, Deserialize)]
enum Color {
    Red,
    Green,
    #[allow(dead_code, reason = "only errors are tested")]
    Custom(u8),
}

fn error<T: serde::de::DeserializeOwned + std::fmt::Debug>(json: &str, packed: &str) -> String {
    let [json, packed] =
        [from_json::<T>(json), from_hex::<T>(packed)].map(|read| read.unwrap_err());
    assert_eq!(json, packed);
    json.strip_prefix("argument 1: ").unwrap().to_owned()
}

#[test]
fn an_enum_lists_its_variants() {
    let color = |json, packed| error::<Color>(json, packed);

    assert_eq!(color("0", "00"), "invalid type: integer `0`, expected `Red`, `Green` or `Custom`");
    assert_eq!(color("null", "c0"), "invalid type: null, expected `Red`, `Green` or `Custom`");
    assert_eq!(color("[]", "90"), "invalid type: sequence, expected `Red`, `Green` or `Custom`");
    let unknown = "unknown variant `Blue`, expected one of `Red`, `Green`, `Custom`";
    assert_eq!(color(r#""Blue""#, "a4 426c7565"), unknown);
    let two = color(r#"{"Custom":1,"Red":null}"#, "82 a6 437573746f6d 01 a3 526564 c0");
    assert_eq!(two, "invalid value: map, expected map with a single key");
    assert!(matches!(from_json(r#"{"Red":null}"#), Ok(Color::Red)));
    assert!(matches!(from_json(r#""Green""#), Ok(Color::Green)));
}

#[test]
fn a_date_names_its_form() {
    let zoned = "expected a date with a zone, such as 2026-11-28T10:00:00Z";
    let local = |date: &str| format!("invalid value: string \"{date}\", {zoned}");

    for (date, packed) in [
        ("2026-11-28T10:00:00", "b3 323032362d31312d32385431303a30303a3030"),
        ("2026-11-28", "aa 323032362d31312d3238"),
        ("", "a0"),
    ] {
        let json = format!("\"{date}\"");
        assert_eq!(error::<DateTime<Utc>>(&json, packed), local(date) + " (`DateTime`)");
        assert_eq!(error::<OffsetDateTime>(&json, packed), local(date) + " (`OffsetDateTime`)");
        assert_eq!(error::<jiff::Timestamp>(&json, packed), local(date) + " (`Timestamp`)");
    }
    assert_eq!(
        error::<DateTime<Utc>>("null", "c0"),
        format!("invalid type: null, {zoned} (`DateTime`)")
    );
    assert_eq!(
        error::<DateTime<Utc>>("7", "07"),
        format!("invalid type: integer `7`, {zoned} (`DateTime`)")
    );
    assert_eq!(
        from_hex::<NaiveDate>("d6 ff 65 53 f1 00").unwrap_err(),
        "argument 1: invalid value: string \"2023-11-14T22:13:20Z\", expected a day without a time, such as \
         2026-11-28 (`NaiveDate`)"
    );
    assert_eq!(
        from_json::<NaiveDateTime>(r#""2023-11-14T22:13:20+02:00""#).unwrap_err(),
        "argument 1: invalid value: string \"2023-11-14T22:13:20+02:00\", expected a date without a zone, such as \
         2026-11-28T10:00:00 (`NaiveDateTime`)"
    );
}

#[test]
fn a_long_text_is_cut_in_errors() {
    let long = "é".repeat(10_000);
    let error = from_json::<DateTime<Utc>>(&format!("\"{long}\"")).unwrap_err();
    assert!(error.len() < 250, "{} bytes", error.len());
}
