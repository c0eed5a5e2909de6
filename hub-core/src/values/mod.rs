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
