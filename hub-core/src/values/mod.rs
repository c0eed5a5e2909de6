//! Values of the application, with the same rules in JSON and in MessagePack: bytes are Base64 text in JSON and
//! binary data in MessagePack, dates are read in every form that clients send, and errors name the expected form.
//! docs/values.md has the table.

mod adapters;
mod bytes;
mod dates;
mod enums;
mod moment;
mod reading;
#[cfg(feature = "schema")]
pub mod schema;
mod writing;

use serde::{Serialize, de::DeserializeOwned, ser::Error as _};

pub use crate::reading::lost_number;

pub use self::adapters::{binary, byte_list, timestamp};
#[cfg(feature = "msgpack")]
pub(crate) use self::bytes::to_base64;
pub(crate) use self::{adapters::TIMESTAMP_MARK, dates::clock, moment::Moment, reading::Reading};

/// A time in seconds since 1970 as RFC 3339 text in UTC. `None` if the year has more than four digits.
#[must_use]
pub fn rfc3339(unix_seconds: u64) -> Option<String> {
    let seconds = i64::try_from(unix_seconds).ok().filter(|seconds| *seconds < YEAR_10000)?;
    Some(Moment::from_utc(seconds, 0)?.text())
}

/// The time of an RFC 3339 text with a zone, in whole seconds since 1970. `None` for another text or an earlier time.
#[must_use]
pub fn unix_seconds(text: &str) -> Option<u64> {
    u64::try_from(Moment::parse(text)?.utc_seconds()?).ok()
}

/// The first second of the year 10000.
const YEAR_10000: i64 = 253_402_300_800;

/// Reads a JSON value.
///
/// # Errors
/// When the text is not JSON or does not fit the type.
pub fn read_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let value = T::deserialize(Reading::new(&mut json))?;
    json.end()?;
    Ok(value)
}

/// Appends a value as JSON.
///
/// # Errors
/// When the value has no form in JSON. The error names the type.
pub fn write_json<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), serde_json::Error> {
    value.serialize(writing::Writing(&mut serde_json::Serializer::new(out)))
}

/// A value as `serde_json::Value`.
///
/// # Errors
/// When the value has no form in JSON, or contains a number that would lose digits. The error names the type or the
/// number.
pub fn to_json_value<T: Serialize + ?Sized>(
    value: &T,
) -> Result<serde_json::Value, serde_json::Error> {
    let mut json = Vec::new();
    write_json(&mut json, value)?;
    match lost_number(&json) {
        Some(text) => Err(serde_json::Error::custom(text)),
        None => serde_json::from_slice(&json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_seconds_have_a_text() {
        assert_eq!(rfc3339(1_800_000_000).as_deref(), Some("2027-01-15T08:00:00Z"));
        assert_eq!(unix_seconds("2027-01-15T09:00:00.25+01:00"), Some(1_800_000_000));
        assert_eq!(rfc3339(253_402_300_799).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!((rfc3339(253_402_300_800), rfc3339(u64::MAX)), (None, None));
        for invalid in ["2027-01-15T08:00:00", "1969-12-31T23:59:59Z", "1800000000", ""] {
            assert_eq!(unix_seconds(invalid), None, "{invalid}");
        }
    }
}
