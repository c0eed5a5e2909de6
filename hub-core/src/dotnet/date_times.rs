//! `DateTime`, whose text can be without a zone.

use std::{any::type_name, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        DeserializeOwned, Error, IntoDeserializer, SeqAccess, Visitor, value::SeqAccessDeserializer,
    },
};

use crate::values::{Moment, Reading, TIMESTAMP_MARK, clock};

/// A date of another crate as a `System.DateTime`: dates of `chrono`, `time` and `jiff`, with or without a zone, and
/// `SystemTime`.
///
/// A `DateTime` without a zone (`DateTimeKind.Unspecified`) is UTC, as it is for the MessagePack of .NET clients. In JSON
/// the date is text, in MessagePack a timestamp.
///
/// ```
/// # use hub_core::dotnet;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Order {
///     #[serde(with = "dotnet::date_time")]
///     placed: std::time::SystemTime,
/// }
///
/// let order: Order = serde_json::from_str(r#"{"placed":"2026-11-28T10:00:00"}"#).unwrap();
/// assert_eq!(serde_json::to_string(&order).unwrap(), r#"{"placed":"2026-11-28T10:00:00Z"}"#);
/// ```
pub mod date_time {
    use serde::ser::Error as _;

    use super::{
        AnyZone, DeserializeOwned, Deserializer, InAnyZone, PhantomData, Serialize, Serializer,
        Stamp, clock, type_name,
    };

    /// Writes the date.
    ///
    /// # Errors
    /// When the type is not written as a date, or its year has more than four digits.
    pub fn serialize<T: Serialize, S: Serializer>(
        date: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let form = serde_json::to_value(date).map_err(S::Error::custom)?;
        let Some(moment) = clock::<T>(&form) else {
            let name = type_name::<T>();
            return Err(S::Error::custom(format_args!(
                "`{name}` is written as {form}, which is not a date"
            )));
        };
        crate::dotnet::write(serializer, moment.text(), Stamp(moment))
    }

    /// Reads text with or without a zone, a timestamp, or the `[timestamp, minutes]` of a `DateTimeOffset`.
    ///
    /// # Errors
    /// When the value is none of these, or the type cannot represent it.
    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        deserializer.deserialize_any(AnyZone(PhantomData)).map(|InAnyZone(date)| date)
    }
}

/// A date as a timestamp. Without a zone it is UTC.
struct Stamp(Moment);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(TIMESTAMP_MARK, &in_zone(self.0).text())
    }
}

fn in_zone(moment: Moment) -> Moment {
    moment.with_offset(moment.offset().or(Some(0)))
}

/// The result of [`AnyZone`]. A type of its own, because [`Reading`] recognizes the types of dates by their names.
struct InAnyZone<T>(T);

/// Reads a date with or without a zone.
struct AnyZone<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyZone<T> {
    type Value = InAnyZone<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a date such as \"2026-11-28T10:00:00\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<InAnyZone<T>, E> {
        let zoned = match Moment::parse(text) {
            Some(moment) if moment.offset().is_none() => in_zone(moment).text(),
            _ => text.to_owned(),
        };
        T::deserialize(Reading::new(zoned.into_deserializer())).map(InAnyZone)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<InAnyZone<T>, A::Error> {
        T::deserialize(Reading::new(SeqAccessDeserializer::new(items))).map(InAnyZone)
    }
}
