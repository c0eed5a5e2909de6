//! Adapters for `#[serde(with = "…")]`, which change how a field is written.

/// The name of the newtype that the MessagePack writer turns into a timestamp.
pub(crate) const TIMESTAMP_MARK: &str = "$hub::timestamp";

/// Bytes as Base64 text in JSON and as binary data in MessagePack, for `Vec<u8>`, which is otherwise written as a list
/// of numbers. Types of `serde_bytes` and `bytes::Bytes` need no adapter, except inside of types that serde reads
/// through a buffer: `#[serde(flatten)]`, `#[serde(untagged)]` and `#[serde(tag = "…")]`.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Picture {
///     #[serde(with = "hub_core::values::binary")]
///     pixels: Vec<u8>,
/// }
/// ```
pub mod binary {
    use serde::{Deserializer, Serializer};

    use crate::values::{bytes::ToVec, reading::Reading};

    /// Writes the bytes.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<T, S>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: AsRef<[u8]> + ?Sized,
        S: Serializer,
    {
        serializer.serialize_bytes(bytes.as_ref())
    }

    /// Reads Base64 text, binary data or a list of numbers.
    ///
    /// # Errors
    /// When the value is none of these.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: From<Vec<u8>>,
        D: Deserializer<'de>,
    {
        Reading::new(deserializer).deserialize_byte_buf(ToVec).map(T::from)
    }
}

/// Bytes as a list of numbers in both protocols, for clients that expect a list. Reads what [`binary`] reads.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Picture {
///     #[serde(with = "hub_core::values::byte_list")]
///     pixels: Vec<u8>,
/// }
/// ```
pub mod byte_list {
    use serde::Serializer;

    pub use super::binary::deserialize;

    /// Writes a list of numbers.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<T, S>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: AsRef<[u8]> + ?Sized,
        S: Serializer,
    {
        serializer.collect_seq(bytes.as_ref())
    }
}

/// Dates as RFC 3339 text in JSON and as the timestamp extension in MessagePack, which is a `Date` for the official
/// JavaScript client and a `DateTime` for the .NET client. For dates with a zone of `chrono`, `time` and `jiff`, for
/// `SystemTime`, for other types that are written as RFC 3339 text, and for `Option` of these.
///
/// Without the adapter, serde writes these types as text in both protocols.
///
/// ```
/// use hub_core::values::timestamp::{self, Timestamp};
/// use std::time::SystemTime;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Order {
///     #[serde(with = "timestamp")]
///     placed: SystemTime,
///     stops: Vec<Timestamp<SystemTime>>,
/// }
/// ```
pub mod timestamp {
    use std::any::type_name;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    use super::TIMESTAMP_MARK;
    use crate::values::{dates, reading::Reading};

    /// A date that is written with [`timestamp`](self), for results, arguments and lists.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Timestamp<T>(pub T);

    impl<T: Serialize> Serialize for Timestamp<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serialize(&self.0, serializer)
        }
    }

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Timestamp<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserialize(deserializer).map(Self)
        }
    }

    impl<T> From<T> for Timestamp<T> {
        fn from(date: T) -> Self {
            Self(date)
        }
    }

    /// Writes the date.
    ///
    /// # Errors
    /// When the value is not a date with a zone, or its year has more than four digits.
    pub fn serialize<T, S>(date: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Serialize,
        S: Serializer,
    {
        let form = serde_json::to_value(date).map_err(S::Error::custom)?;
        if form.is_null() {
            return serializer.serialize_none();
        }
        let Some(moment) = dates::written::<T>(&form) else {
            return Err(S::Error::custom(format_args!(
                "`{}` is written as {form}, which is not a date with a zone",
                type_name::<T>()
            )));
        };
        serializer.serialize_newtype_struct(TIMESTAMP_MARK, &moment.text())
    }

    /// Reads text, the timestamp extension, or the `[timestamp, minutes]` of the .NET client.
    ///
    /// # Errors
    /// When the value is none of these, or the type cannot represent it.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        T::deserialize(Reading::new(deserializer))
    }
}
