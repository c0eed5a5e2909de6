//! Dates of three crates: text, the timestamp extension of MessagePack, and the `DateTimeOffset` of .NET clients.

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, Utc};
use hub_runtime::timestamp::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcDateTime};

use super::{from_hex, from_json, hex, is_read, is_written};

/// `2026-11-28T10:00:00.1234567Z` as .NET clients send it.
const UTC: &str = "d7 ff 1d6f32f06b0aa620";
/// `2026-11-28T12:00:00.1234567+02:00` as a `DateTimeOffset`: the time of the clock, and minutes.
const WITH_ZONE: &str = "92 d7 ff 1d6f32f06b0ac240 78";
const TEXT: &str = "\"2026-11-28T10:00:00.1234567Z\"";
const ZONE_TEXT: &str = "\"2026-11-28T12:00:00.1234567+02:00\"";

fn chrono() -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339("2026-11-28T12:00:00.1234567+02:00").unwrap()
}

fn time() -> OffsetDateTime {
    let format = &time::format_description::well_known::Rfc3339;
    OffsetDateTime::parse("2026-11-28T12:00:00.1234567+02:00", format).unwrap()
}

fn jiff() -> jiff::Timestamp {
    "2026-11-28T10:00:00.1234567Z".parse().unwrap()
}

/// Checks text, the extension and the pair of the .NET client.
async fn reads<T: DeserializeOwned + PartialEq + Debug + Clone + 'static>(value: T) {
    is_read(value.clone(), TEXT, &hex(UTC)).await;
    is_read(value, ZONE_TEXT, &hex(WITH_ZONE)).await;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rfc3339(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

#[tokio::test]
async fn every_date_with_a_zone_reads_text_timestamps_and_pairs() {
    reads(chrono().with_timezone(&Utc)).await;
    reads(chrono()).await;
    reads(time()).await;
    reads(Rfc3339(time())).await;
    reads(UtcDateTime::from(time())).await;
    reads(jiff()).await;
    reads(SystemTime::from(chrono())).await;
    is_read(jiff().to_zoned(jiff::tz::TimeZone::UTC), TEXT, &hex(UTC)).await;
    reads(vec![Some(chrono())].into_iter().flatten().next()).await;
}

#[tokio::test]
async fn the_zone_of_a_pair_is_kept() {
    let read: DateTime<FixedOffset> = from_hex(WITH_ZONE).unwrap();
    assert_eq!(read.offset().local_minus_utc(), 7200);
    let read: OffsetDateTime = from_hex(WITH_ZONE).unwrap();
    assert_eq!(read.offset().whole_hours(), 2);
    let read: jiff::Zoned = from_hex(WITH_ZONE).unwrap();
    assert_eq!(read.offset().seconds(), 7200);
    for bad in [
        "92 d6ff65535f00 c0",
        "93 d6ff65535f00 00 00",
        "91 d6ff65535f00",
        "92 d6ff65535f00 cd05a0",
        "90",
    ] {
        assert!(from_hex::<DateTime<Utc>>(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn dates_without_a_zone_read_utc() {
    let chrono = chrono().naive_utc();
    is_read(chrono, TEXT, &hex(UTC)).await;
    let utc = time().to_utc();
    is_read(PrimitiveDateTime::new(utc.date(), utc.time()), TEXT, &hex(UTC)).await;
    let jiff = jiff().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    is_read(jiff, TEXT, &hex(UTC)).await;
    assert_eq!(from_json::<NaiveDateTime>("\"2026-11-28T10:00:00.1234567\""), Ok(chrono));
    assert!(from_hex::<NaiveDateTime>(WITH_ZONE).unwrap_err().contains("without a zone"));
}

#[tokio::test]
async fn days_read_midnight_in_utc() {
    let midnight = hex("d6 ff 6b0a1980");
    let text = "\"2026-11-28T00:00:00Z\"";
    is_read(NaiveDate::from_ymd_opt(2026, 11, 28).unwrap(), text, &midnight).await;
    is_read(Date::from_ordinal_date(2026, 332).unwrap(), text, &midnight).await;
    is_read(jiff::civil::date(2026, 11, 28), text, &midnight).await;
    assert_eq!(from_json("\"2026-11-28\""), Ok(Date::from_ordinal_date(2026, 332).unwrap()));
}

#[tokio::test]
async fn sizes_of_timestamps_from_year_1_to_9999_are_read() {
    for (packed, text) in [
        ("c7 0c ff 00000000 fffffff1886e0900", "0001-01-01T00:00:00Z"),
        ("c7 0c ff 3b9ac99c 0000003afff4417f", "9999-12-31T23:59:59.999999900Z"),
        ("d6 ff 6b0aa620", "2026-11-28T10:00:00Z"),
    ] {
        let expected = DateTime::parse_from_rfc3339(text).unwrap();
        assert_eq!(from_hex(packed), Ok(expected));
    }
}

#[tokio::test]
async fn text_is_the_default_when_dates_are_written() {
    let utc = chrono().with_timezone(&Utc);
    is_written(
        utc,
        "\"2026-11-28T10:00:00.123456700Z\"",
        "be 323032362d31312d32385431303a30303a30302e3132333435363730305a",
    )
    .await;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order<T: Serialize + DeserializeOwned> {
    #[serde(with = "hub_runtime::timestamp", bound = "")]
    at: T,
}

/// Checks the adapter.
async fn is_timestamp<T>(date: T, json: &str, packed: &str)
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + Debug + Sync + 'static,
{
    is_written(Timestamp(date.clone()), json, packed).await;
    is_written(Some(Timestamp(date.clone())), json, packed).await;
    let (json, packed) = (format!("{{\"at\":{json}}}"), format!("81 a2 6174 {packed}"));
    is_written(Order { at: date }, &json, &packed).await;
}

#[tokio::test]
async fn the_adapter_writes_rfc_3339_and_the_timestamp_extension() {
    let utc = "\"2026-11-28T10:00:00.123456700Z\"";
    let zoned = "\"2026-11-28T12:00:00.123456700+02:00\"";
    is_timestamp(chrono().with_timezone(&Utc), utc, UTC).await;
    is_timestamp(chrono(), zoned, UTC).await;
    is_timestamp(time(), zoned, UTC).await;
    is_timestamp(UtcDateTime::from(time()), utc, UTC).await;
    is_timestamp(jiff(), utc, UTC).await;
    is_timestamp(Rfc3339(time()), zoned, UTC).await;
    is_timestamp(SystemTime::UNIX_EPOCH, "\"1970-01-01T00:00:00Z\"", "d6 ff 00000000").await;
    is_timestamp(
        SystemTime::UNIX_EPOCH + Duration::new(1 << 34, 0),
        "\"2514-05-30T01:53:04Z\"",
        "c7 0c ff 00000000 0000000400000000",
    )
    .await;
    is_written(Order { at: None::<DateTime<Utc>> }, "{\"at\":null}", "81 a2 6174 c0").await;
    is_written(
        Order { at: Some(time()) },
        &format!("{{\"at\":{zoned}}}"),
        &format!("81 a2 6174 {UTC}"),
    )
    .await;
}

#[tokio::test]
async fn the_adapter_refuses_what_is_not_a_date_with_a_zone() {
    super::has_no_form(&Timestamp(chrono().naive_utc()), &["NaiveDateTime", "zone"]).await;
    super::has_no_form(&Timestamp("soon"), &["str", "zone"]).await;
}
