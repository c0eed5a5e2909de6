//! `decimal`: a number whose digits are kept.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::value::RawValue;

use super::ParseError;

/// A decimal number with all its digits, such as a `System.Decimal`.
///
/// In JSON a number, in MessagePack text. Both are read in both protocols. A type that serde reads through a buffer
/// (`flatten`, untagged and internally tagged types) cannot contain it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(Box<str>);

impl Decimal {
    /// The number as it was written: `-12.50`, `1e-7`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Decimal {
    type Err = ParseError;

    /// Parses a number in the syntax of JSON (RFC 8259 §6).
    fn from_str(text: &str) -> Result<Self, ParseError> {
        // The text of any other JSON value begins with another character.
        let begins = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let is_trimmed = text.ends_with(|c: char| c.is_ascii_digit());
        if begins && is_trimmed && serde_json::from_str::<&RawValue>(text).is_ok() {
            return Ok(Self(text.into()));
        }
        Err(ParseError::expected("a decimal number", text))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = RawValue::from_string(self.0.clone().into()).map_err(S::Error::custom)?;
        super::write(serializer, json, &self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let text: String = match json.get() {
            text if text.starts_with('"') => {
                serde_json::from_str(text).map_err(D::Error::custom)?
            }
            number => number.to_owned(),
        };
        text.parse().map_err(D::Error::custom)
    }
}

/// A decimal of another crate as a [`Decimal`]: a type that is written (`Display`) and parsed (`FromStr`) as a decimal
/// number, such as `rust_decimal::Decimal` or `bigdecimal::BigDecimal`.
pub mod decimal {
    use super::{Decimal, Deserialize, Deserializer, FromStr, Serialize, Serializer, fmt};
    use serde::{de::Error as _, ser::Error as _};

    /// Writes the number.
    ///
    /// # Errors
    /// When the type does not write a decimal number.
    pub fn serialize<T: fmt::Display, S: Serializer>(
        number: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number.to_string().parse::<Decimal>().map_err(S::Error::custom)?.serialize(serializer)
    }

    /// Reads a number with all its digits.
    ///
    /// # Errors
    /// When the value is not a number, or does not fit the type.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: fmt::Display>,
        D: Deserializer<'de>,
    {
        Decimal::deserialize(deserializer)?.as_str().parse().map_err(D::Error::custom)
    }
}
