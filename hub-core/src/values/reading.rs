//! A deserializer around another one. It compiles to the inner deserializer for types without bytes, dates and enums.

use std::{any::type_name, fmt, time::Duration};

use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, Visitor},
};
use serde_json::Value;

use super::{
    bytes::{Binary, List, to_base64},
    dates::{self, Date},
    enums::Enum,
};

/// A deserializer of values, or of map keys.
pub(crate) struct Reading<D, const KEY: bool = false>(D);

impl<D> Reading<D> {
    pub(crate) fn new(inner: D) -> Self {
        Self(inner)
    }
}

/// Whether two types are the same. Their names are compared, because `TypeId` needs `'static` types.
#[inline]
pub(super) fn is<A: ?Sized, B: ?Sized>() -> bool {
    type_name::<A>() == type_name::<B>()
}

macro_rules! inside {
    ($($method:ident($($name:ident: $ty:ty),*);)+) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, $($name: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
                self.0.$method($($name,)* Inside::<V, KEY>(visitor))
            }
        )+
    };
}

macro_rules! with_dates {
    ($($method:ident($($name:ident: $ty:ty),*) $asked:expr, $visitor:ident;)+) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, $($name: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
                match dates::form::<V>($asked) {
                    Some(form) => self.0.deserialize_any(Date { form, visitor }),
                    None => self.0.$method($($name,)* $visitor::<V, KEY>(visitor)),
                }
            }
        )+
    };
}

impl<'de, D: Deserializer<'de>, const KEY: bool> Deserializer<'de> for Reading<D, KEY> {
    type Error = D::Error;

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }

    inside! {
        deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64(); deserialize_char(); deserialize_option(); deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_map(); deserialize_identifier(); deserialize_ignored_any();
    }

    with_dates! {
        deserialize_any() dates::Asked::Any, Inside;
        deserialize_str() dates::Asked::Text, Inside;
        deserialize_string() dates::Asked::Text, Inside;
    }

    /// The .NET client writes the keys of a `Dictionary<bool, …>` as `"True"` and `"False"` in JSON.
    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if KEY {
            return self.0.deserialize_str(BoolKey(visitor));
        }
        self.0.deserialize_bool(Inside::<V, KEY>(visitor))
    }

    /// `SystemTime` is read by a visitor of durations.
    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if is::<V::Value, Duration>() && name == "SystemTime" {
            return self.0.deserialize_any(Date { form: dates::Form::System, visitor });
        }
        self.0.deserialize_struct(name, fields, Inside::<V, KEY>(visitor))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if is::<V::Value, Vec<u8>>() {
            return self.0.deserialize_any(List(visitor));
        }
        self.0.deserialize_seq(List(visitor))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if let Some(form) = dates::form::<V>(dates::Asked::Any) {
            return self.0.deserialize_any(Date { form, visitor });
        }
        if type_name::<V::Value>().starts_with("[u8; ") {
            return self.0.deserialize_any(List(visitor));
        }
        self.0.deserialize_tuple(length, List(visitor))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, length, List(visitor))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Binary(visitor))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Binary(visitor))
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Enum { variants, visitor })
    }
}

/// The visitor of a type. The values inside are read with the same rules.
struct Inside<V, const KEY: bool>(V);

macro_rules! forward {
    ($($method:ident $ty:ty;)+) => {
        $(
            #[inline]
            fn $method<E: Error>(self, value: $ty) -> Result<V::Value, E> {
                self.0.$method(value)
            }
        )+
    };
}

impl<'de, V: Visitor<'de>, const KEY: bool> Inside<V, KEY> {
    /// Bytes for a type that did not ask for bytes. `Value` takes Base64 text, as in JSON. A `String` would take
    /// bytes that are UTF-8 by chance, so it gets an error.
    fn bytes<E: Error>(
        self,
        bytes: &[u8],
        visit: impl FnOnce(V) -> Result<V::Value, E>,
    ) -> Result<V::Value, E> {
        if is::<V::Value, Value>() {
            return self.0.visit_string(to_base64(bytes).to_string());
        }
        if is::<V::Value, String>() {
            return Err(E::invalid_type(Unexpected::Bytes(bytes), &self));
        }
        visit(self.0)
    }
}

impl<'de, V: Visitor<'de>, const KEY: bool> Visitor<'de> for Inside<V, KEY> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    forward! {
        visit_bool bool; visit_i8 i8; visit_i16 i16; visit_i32 i32; visit_i64 i64; visit_i128 i128;
        visit_u8 u8; visit_u16 u16; visit_u32 u32; visit_u64 u64; visit_u128 u128; visit_f32 f32;
        visit_f64 f64; visit_char char; visit_str &str; visit_borrowed_str &'de str; visit_string String;
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<V::Value, E> {
        self.bytes(bytes, |visitor| visitor.visit_bytes(bytes))
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<V::Value, E> {
        self.bytes(bytes, |visitor| visitor.visit_borrowed_bytes(bytes))
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Reading::<D, KEY>(value))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Reading::<D, KEY>(value))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Items(items))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Items(members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(data)
    }
}

/// The elements of an array, or the members of a map.
pub(super) struct Items<A>(pub(super) A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Seed::<T, false>(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Items<A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(Seed::<K, true>(seed))
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Seed::<T, false>(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

struct Seed<T, const KEY: bool>(T);

impl<'de, T: DeserializeSeed<'de>, const KEY: bool> DeserializeSeed<'de> for Seed<T, KEY> {
    type Value = T::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T::Value, D::Error> {
        self.0.deserialize(Reading::<D, KEY>(inner))
    }
}

/// The visitor of a boolean map key, which is text in JSON.
struct BoolKey<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for BoolKey<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("`true` or `false`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        match text {
            "true" | "True" => self.0.visit_bool(true),
            "false" | "False" => self.0.visit_bool(false),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}
