//! The adapters of `hub_runtime::dotnet`, for types of other crates.

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use hub_runtime::dotnet::{self, Enum, Keyed, TimeSpan};
use serde::{Deserialize, Serialize};

use super::{from_hex, from_json, is_read, is_written};

/// A field with an adapter.
macro_rules! field {
    ($name:ident, $with:literal, $type:ty) => {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        struct $name(#[serde(with = $with)] $type);
    };
}

field!(ChronoDate, "dotnet::date_only", NaiveDate);
field!(TimeDate, "dotnet::date_only", time::Date);
field!(ChronoTime, "dotnet::time_only", NaiveTime);
field!(TimeTime, "dotnet::time_only", time::Time);
field!(Naive, "dotnet::date_time", NaiveDateTime);
field!(Primitive, "dotnet::date_time", time::PrimitiveDateTime);
field!(Zoned, "dotnet::date_time", DateTime<Utc>);
field!(Offset, "dotnet::date_time", time::OffsetDateTime);
field!(System, "dotnet::date_time", SystemTime);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Color {
    Red,
    Green,
}

#[tokio::test]
async fn dates_and_times_of_other_crates_have_the_forms_of_dotnet() {
    let chrono = NaiveDate::from_ymd_opt(2026, 11, 28).unwrap();
    let time = time::Date::from_ordinal_date(2026, 332).unwrap();
    is_written(ChronoDate(chrono), r#""2026-11-28""#, "ce 000b4a6b").await;
    is_written(TimeDate(time), r#""2026-11-28""#, "ce 000b4a6b").await;

    let chrono = NaiveTime::from_hms_milli_opt(10, 0, 0, 123).unwrap();
    let time = time::Time::from_hms_milli(10, 0, 0, 123).unwrap();
    is_written(ChronoTime(chrono), r#""10:00:00.1230000""#, "cf 00000053d1bed4b0").await;
    is_written(TimeTime(time), r#""10:00:00.1230000""#, "cf 00000053d1bed4b0").await;
}

/// `new DateTime(2026, 11, 28, 10, 0, 0)` with 1,234,567 ticks, as .NET clients send it.
#[tokio::test]
async fn a_date_time_without_a_zone_is_utc() {
    const UNSPECIFIED: &str = r#""2026-11-28T10:00:00.1234567""#;
    let packed = b"\xd7\xff\x1d\x6f\x32\xf0\x6b\x0a\xa6\x20";
    let utc: DateTime<Utc> = "2026-11-28T10:00:00.1234567Z".parse().unwrap();
    let nanoseconds = utc.timestamp_nanos_opt().unwrap();
    let offset = time::OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into()).unwrap();
    let naive = utc.naive_utc();
    let primitive = time::PrimitiveDateTime::new(offset.date(), offset.time());

    is_read(Zoned(utc), UNSPECIFIED, packed).await;
    is_read(Offset(offset), UNSPECIFIED, packed).await;
    is_read(Naive(naive), UNSPECIFIED, packed).await;
    is_read(Primitive(primitive), UNSPECIFIED, packed).await;
    is_read(Naive(naive), r#""2026-11-28T10:00:00.1234567Z""#, packed).await;

    let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_860_000);
    is_written(System(whole), r#""2026-11-28T10:00:00Z""#, "d6ff 6b0aa620").await;
    let naive = naive.date().and_hms_opt(10, 0, 0).unwrap();
    is_written(Naive(naive), r#""2026-11-28T10:00:00""#, "d6ff 6b0aa620").await;
    assert!(from_json::<Zoned>(r#""soon""#).is_err());
    assert!(from_hex::<Zoned>("01").is_err());
}

#[tokio::test]
async fn adapters_inside_of_other_values_keep_their_forms_everywhere() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        period: Option<TimeSpan>,
        colors: Vec<Enum<Color>>,
        more: Option<Keyed<Color2>>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Color2 {
        color: Color,
    }
    let inner = Inner {
        period: Some(TimeSpan::from_ticks(1)),
        colors: vec![Enum(Color::Red)],
        more: Some(Keyed(Color2 { color: Color::Green })),
    };

    is_written(
        Keyed(inner),
        r#"{"period":"00:00:00.0000001","colors":[0],"more":{"color":"Green"}}"#,
        "93 01 91 a3526564 91 a5477265656e",
    )
    .await;
}
