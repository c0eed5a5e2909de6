//! Values as .NET clients send and expect them, in JSON (System.Text.Json, Newtonsoft.Json) and in MessagePack
//! (MessagePack-CSharp).
//!
//! Each adapter reads both protocols, and writes in each protocol what a .NET client reads:
//!
//! | C# | JSON | MessagePack | Type here | `#[serde(with = "…")]` |
//! |---|---|---|---|---|
//! | `TimeSpan` | `"1.02:03:04.0050000"` | ticks of 100 ns | [`TimeSpan`] | [`time_span`] for `std::time::Duration` |
//! | `DateOnly` | `"2026-11-28"` | days since 0001-01-01 | [`DateOnly`] | [`date_only`] for dates of chrono, time and jiff |
//! | `TimeOnly` | `"10:00:00.1230000"` | ticks since midnight | [`TimeOnly`] | [`time_only`] for times of chrono, time and jiff |
//! | `DateTime` | text, also without a zone | timestamp | – | [`date_time`] for dates of chrono, time and jiff |
//! | `char` | text | UTF-16 code unit | [`Char`] | [`character`] for `char` |
//! | an enum | number | name | [`Enum`] | [`enums`]; as names or numbers in both protocols: [`enums::names`], [`enums::numbers`] |
//! | `decimal` | number with all digits | text | [`Decimal`] | [`decimal`] for decimals with `Display` and `FromStr` |
//! | `[Key(0)]` | object | array | [`Keyed`] | [`keyed`] |
//!
//! ```
//! # use hub_core::dotnet;
//! use std::time::Duration;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Timer {
//!     #[serde(with = "dotnet::time_span")]
//!     period: Duration,
//!     price: dotnet::Decimal,
//! }
//!
//! let timer: Timer = serde_json::from_str(r#"{"period":"00:01:30","price":0.10}"#).unwrap();
//! assert_eq!(timer.period, Duration::from_secs(90));
//! assert_eq!(serde_json::to_string(&timer).unwrap(), r#"{"period":"00:01:30","price":0.10}"#);
//! ```

mod chars;
mod date_times;
mod dates;
mod decimals;
mod enumerations;
mod key_arrays;
mod spans;

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserializer, Serialize, Serializer, de::Visitor};

pub use self::{
    chars::{Char, character},
    date_times::date_time,
    dates::{DateOnly, TimeOnly, date_only, time_only},
    decimals::{Decimal, decimal},
    enumerations::{Enum, enums},
    key_arrays::{Keyed, keyed},
    spans::{TimeSpan, time_span},
};

/// The name of the newtype whose content has another form in MessagePack. Inside of it, the MessagePack serializer
/// is not human-readable.
pub(crate) const PACKED: &str = "$hub::packed";

/// Why a text is not a value of a .NET type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

impl ParseError {
    fn expected(expected: &str, text: &str) -> Self {
        let shown: String = text.chars().take(48).collect();
        Self(format!("expected {expected}, got {shown:?}"))
    }
}

/// Writes one value in JSON and another one in MessagePack.
fn write<S: Serializer>(
    serializer: S,
    json: impl Serialize,
    packed: impl Serialize,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(PACKED, &Forms(json, packed))
}

/// The form in JSON, and the form in MessagePack.
struct Forms<J, M>(J, M);

impl<J: Serialize, M: Serialize> Serialize for Forms<J, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            self.1.serialize(serializer)
        }
    }
}

/// A value that is text in JSON and a number in MessagePack.
trait TextOrNumber: Sized + FromStr<Err: fmt::Display> {
    /// What was expected, for errors.
    const EXPECTED: &str;

    fn from_number(number: i64) -> Option<Self>;
}

fn read<'de, T: TextOrNumber, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(TextOrNumberVisitor(PhantomData))
}

struct TextOrNumberVisitor<T>(PhantomData<T>);

impl<T: TextOrNumber> Visitor<'_> for TextOrNumberVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTED)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        T::from_number(number)
            .ok_or_else(|| E::custom(format_args!("expected {}, got {number}", T::EXPECTED)))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::custom(format_args!("expected {}, got {number}", T::EXPECTED))),
        }
    }
}

/// Implements `Serialize` and `Deserialize` for a type that is text in JSON and a number in MessagePack.
macro_rules! text_or_number {
    ($type:ident, $expected:literal, $number:ident, $from:expr) => {
        impl $crate::dotnet::TextOrNumber for $type {
            const EXPECTED: &str = $expected;

            fn from_number(number: i64) -> Option<Self> {
                $from(number)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::dotnet::write(serializer, self.to_string(), self.$number())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::dotnet::read(deserializer)
            }
        }
    };
}

use text_or_number;

#[cfg(test)]
mod tests;
