//! A deserializer around another one. It replaces a member's name by the name of the field that it matches.
//!
//! Types that serde reads through a buffer (`flatten`, untagged and internally tagged types) ask for a map, not for
//! a struct, so they match exactly.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Notes, digits, inside::Inside};
use crate::values::Reading;

/// A deserializer, a seed, or access to the elements of a value.
#[derive(Clone, Copy)]
pub(super) struct AnyCase<'n, T> {
    inner: T,
    notes: &'n Notes,
}

impl<'n, T> AnyCase<'n, T> {
    pub(super) fn new(inner: T, notes: &'n Notes) -> Self {
        Self { inner, notes }
    }

    fn inside<V>(notes: &'n Notes, visitor: V) -> Inside<'n, V> {
        Inside { visitor, notes, name: "", fields: &[], is_float: false }
    }

    fn inside_struct<V>(
        notes: &'n Notes,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Inside<'n, V> {
        let fields = if notes.exact_names { &[] } else { fields };
        Inside { visitor, notes, name, fields, is_float: false }
    }
}

macro_rules! unchanged {
    ($($method:ident)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
                self.inner.$method(visitor)
            }
        )+
    };
}

macro_rules! inside {
    ($($method:ident($($name:ident: $ty:ty),*);)+) => {
        $(
            fn $method<V: Visitor<'de>>(
                self,
                $($name: $ty,)*
                visitor: V,
            ) -> Result<V::Value, D::Error> {
                self.inner.$method($($name,)* Self::inside(self.notes, visitor))
            }
        )+
    };
}

macro_rules! floats {
    ($($method:ident)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
                let visitor = Inside { is_float: true, ..Self::inside(self.notes, visitor) };
                if !self.notes.checks_digits {
                    return self.inner.$method(visitor);
                }
                let mut number = serde_json::Deserializer::from_str(checked(self.inner)?);
                Reading::new(&mut number).$method(visitor).map_err(D::Error::custom)
            }
        )+
    };
}

/// The JSON text of a value. A number that loses digits is an error.
fn checked<'de, D: Deserializer<'de>>(value: D) -> Result<&'de str, D::Error> {
    let text = <&'de RawValue>::deserialize(value)?.get();
    let number = digits::number_in(text);
    if digits::lost(number) { Err(D::Error::custom(digits::error(number))) } else { Ok(text) }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for AnyCase<'_, D> {
    type Error = D::Error;

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Self::inside(self.notes, visitor);
        if !self.notes.checks_digits {
            return self.inner.deserialize_any(visitor);
        }
        let mut value = serde_json::Deserializer::from_str(checked(self.inner)?);
        Reading::new(&mut value).deserialize_any(visitor).map_err(D::Error::custom)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Self::inside_struct(self.notes, name, fields, visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Self::inside_struct(self.notes, name, &[], visitor);
        self.inner.deserialize_enum(name, variants, visitor)
    }

    inside! {
        deserialize_option();
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
    }

    floats! { deserialize_f32 deserialize_f64 }

    unchanged! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for AnyCase<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<T::Value, D::Error> {
        self.inner.deserialize(AnyCase::new(value, self.notes))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for AnyCase<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(AnyCase::new(seed, self.notes))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// A map. Its keys are data and not names.
impl<'de, A: MapAccess<'de>> MapAccess<'de> for AnyCase<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(AnyCase::new(seed, self.notes))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// The variants of an enum.
pub(super) struct Variants<'n, A> {
    pub(super) data: A,
    pub(super) notes: &'n Notes,
    /// The name of the enum.
    pub(super) name: &'static str,
}

impl<'n, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Variants<'n, A> {
    type Error = A::Error;
    type Variant = Variants<'n, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self::Variant), A::Error> {
        let (value, data) = self.data.variant_seed(seed)?;
        Ok((value, Variants { data, notes: self.notes, name: self.name }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Variants<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.data.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.data.newtype_variant_seed(AnyCase::new(seed, self.notes))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.data.tuple_variant(len, AnyCase::<()>::inside(self.notes, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = AnyCase::<()>::inside_struct(self.notes, self.name, fields, visitor);
        self.data.struct_variant(fields, visitor)
    }
}
