//! Enums: a number or a name.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
    ser::{Error as _, Impossible},
};

/// An enum as .NET clients send it without further settings: a number in JSON, a name in MessagePack. Numbers and
/// names are read in both protocols. See [`enums`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Enum<T>(pub T);

impl<T: Serialize> Serialize for Enum<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        enums::serialize(&self.0, serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Enum<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        enums::deserialize(deserializer).map(Self)
    }
}

/// An enum as .NET clients send it without further settings: a number in JSON, a name in MessagePack.
///
/// The enum has variants without content. Its numbers count from 0 in the order of the variants, as in C#. Names are
/// read in any ASCII case.
///
/// ```
/// # use hub_core::dotnet::enums;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// enum Color { Red, Green }
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Paint {
///     #[serde(with = "enums")]
///     color: Color,
/// }
///
/// let paint: Paint = serde_json::from_str(r#"{"color":"green"}"#).unwrap();
/// assert_eq!(serde_json::to_string(&paint).unwrap(), r#"{"color":1}"#);
/// ```
pub mod enums {
    use super::{
        AnyForm, DeserializeOwned, Deserializer, PhantomData, Serialize, Serializer, variant,
    };

    /// Writes the number in JSON and the name in MessagePack.
    ///
    /// # Errors
    /// When the type is not an enum of variants without content.
    pub fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let (number, name) = variant(value)?;
        crate::dotnet::write(serializer, number, name)
    }

    /// Reads a number or a name.
    ///
    /// # Errors
    /// When the enum has no such variant.
    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        deserializer.deserialize_any(AnyForm(PhantomData))
    }

    /// An enum as its name in both protocols: for clients with `JsonStringEnumConverter`.
    pub mod names {
        pub use super::deserialize;
        use super::{Serialize, Serializer, variant};

        /// Writes the name.
        ///
        /// # Errors
        /// When the type is not an enum of variants without content.
        pub fn serialize<T: Serialize, S: Serializer>(
            value: &T,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(variant(value)?.1)
        }
    }

    /// An enum as its number in both protocols: for MessagePack clients whose resolver is not SignalR's own.
    pub mod numbers {
        pub use super::deserialize;
        use super::{Serialize, Serializer, variant};

        /// Writes the number.
        ///
        /// # Errors
        /// When the type is not an enum of variants without content.
        pub fn serialize<T: Serialize, S: Serializer>(
            value: &T,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            serializer.serialize_u32(variant(value)?.0)
        }
    }
}

/// Reads a number or a name.
struct AnyForm<T>(PhantomData<T>);

impl<T: DeserializeOwned> Visitor<'_> for AnyForm<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the number or the name of an enum variant")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        // A number that is the key of a dictionary is text in JSON.
        let form = name.parse().map_or(Form::Name(name), Form::Number);
        T::deserialize(Variant { form, error: PhantomData })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::deserialize(Variant { form: Form::Number(number), error: PhantomData })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::custom(format_args!("the enum has no variant {number}"))),
        }
    }
}

enum Form<'a> {
    Name(&'a str),
    Number(u64),
}

/// The deserializer of a variant without content.
struct Variant<'a, E> {
    form: Form<'a>,
    error: PhantomData<E>,
}

impl<'de, E: Error> Deserializer<'de> for Variant<'_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.form {
            Form::Name(name) => visitor.visit_str(name),
            Form::Number(number) => visitor.visit_u64(number),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        match self.form {
            Form::Name(name) => {
                let exact = variants.iter().find(|variant| **variant == name);
                let any_case = || variants.iter().find(|it| it.eq_ignore_ascii_case(name));
                let name = exact.or_else(any_case).copied().unwrap_or(name);
                visitor.visit_enum(name.into_deserializer())
            }
            // The derived code of an enum takes the position of a variant.
            Form::Number(number) => {
                let position = u32::try_from(number).unwrap_or(u32::MAX);
                visitor.visit_enum(position.into_deserializer()).map_err(|_: E| {
                    let names = variants.join("`, `");
                    E::custom(format_args!(
                        "the enum has no variant {number}, only `{names}`, from 0 on"
                    ))
                })
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The number and the name of a variant.
fn variant<T: Serialize, E: serde::ser::Error>(value: &T) -> Result<(u32, &'static str), E> {
    value.serialize(ToVariant).map_err(|_| {
        let name = std::any::type_name::<T>();
        E::custom(format_args!("`{name}` is not an enum of variants without content"))
    })
}

/// A serializer that accepts variants without content only.
struct ToVariant;

type NoVariant = fmt::Error;
type Outcome = Result<(u32, &'static str), NoVariant>;

macro_rules! refuse {
    ($($method:ident($($ty:ty),*) $(<$generic:ident>)? -> $ok:ty;)+) => {
        $(
            fn $method$(<$generic: Serialize + ?Sized>)?(self, $(_: $ty),*) -> $ok {
                Err(NoVariant::custom(""))
            }
        )+
    };
}

type No = Impossible<(u32, &'static str), NoVariant>;

impl Serializer for ToVariant {
    type Ok = (u32, &'static str);
    type Error = NoVariant;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    fn serialize_unit_variant(self, _: &'static str, index: u32, name: &'static str) -> Outcome {
        Ok((index, name))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Outcome {
        value.serialize(self)
    }

    refuse! {
        serialize_bool(bool) -> Outcome;
        serialize_i8(i8) -> Outcome;
        serialize_i16(i16) -> Outcome;
        serialize_i32(i32) -> Outcome;
        serialize_i64(i64) -> Outcome;
        serialize_u8(u8) -> Outcome;
        serialize_u16(u16) -> Outcome;
        serialize_u32(u32) -> Outcome;
        serialize_u64(u64) -> Outcome;
        serialize_f32(f32) -> Outcome;
        serialize_f64(f64) -> Outcome;
        serialize_char(char) -> Outcome;
        serialize_str(&str) -> Outcome;
        serialize_bytes(&[u8]) -> Outcome;
        serialize_none() -> Outcome;
        serialize_some(&T) <T> -> Outcome;
        serialize_unit() -> Outcome;
        serialize_unit_struct(&'static str) -> Outcome;
        serialize_newtype_variant(&'static str, u32, &'static str, &T) <T> -> Outcome;
        serialize_seq(Option<usize>) -> Result<No, NoVariant>;
        serialize_tuple(usize) -> Result<No, NoVariant>;
        serialize_tuple_struct(&'static str, usize) -> Result<No, NoVariant>;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Result<No, NoVariant>;
        serialize_map(Option<usize>) -> Result<No, NoVariant>;
        serialize_struct(&'static str, usize) -> Result<No, NoVariant>;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Result<No, NoVariant>;
    }
}
