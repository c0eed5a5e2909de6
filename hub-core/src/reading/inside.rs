//! A visitor around the visitor of a type. Members of the type and of its elements match in any ASCII case.

use std::fmt;

use serde::{
    Deserializer,
    de::{EnumAccess, Error, MapAccess, SeqAccess, Visitor},
};

use super::{
    Notes,
    any_case::{AnyCase, Variants},
    digits,
    fields::Fields,
    names::Members,
};

macro_rules! forward {
    ($($method:ident $ty:ty;)+) => {
        $(
            fn $method<E: Error>(self, value: $ty) -> Result<V::Value, E> {
                self.visitor.$method(value)
            }
        )+
    };
}

/// The visitor around the visitor of a type.
pub(super) struct Inside<'n, V> {
    pub(super) visitor: V,
    pub(super) notes: &'n Notes,
    /// The name of a struct or enum.
    pub(super) name: &'static str,
    /// The fields of a struct. Empty for other types.
    pub(super) fields: &'static [&'static str],
    pub(super) is_float: bool,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Inside<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        if self.fields.is_empty() {
            return self.visitor.visit_map(AnyCase::new(map, self.notes));
        }
        let mut fields = Fields::new(self.name, self.fields);
        let members = Members { map, notes: self.notes, fields: &mut fields };
        let value = self.visitor.visit_map(members);
        if let Some(object) = fields.unmatched() {
            self.notes.unmatched.borrow_mut().get_or_insert(object);
        }
        value
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(AnyCase::new(seq, self.notes))
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(AnyCase::new(value, self.notes))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(AnyCase::new(value, self.notes))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Variants { data, notes: self.notes, name: self.name })
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        self.notes.has_floats.set(true);
        self.visitor.visit_f64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        if self.is_float && digits::lost_by_integer(value) {
            return Err(E::custom(digits::error(&value.to_string())));
        }
        self.visitor.visit_u64(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        if self.is_float && digits::lost_by_integer(value.unsigned_abs()) {
            return Err(E::custom(digits::error(&value.to_string())));
        }
        self.visitor.visit_i64(value)
    }

    forward! {
        visit_bool bool; visit_i128 i128; visit_u128 u128; visit_f32 f32;
        visit_char char; visit_str &str; visit_borrowed_str &'de str; visit_string String;
        visit_bytes &[u8]; visit_borrowed_bytes &'de [u8]; visit_byte_buf Vec<u8>;
    }
}
