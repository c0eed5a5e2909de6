//! Enums: a text, or an object with one member.

use std::fmt;

use serde::de::{
    Error, IgnoredAny, MapAccess, Unexpected, Visitor,
    value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer},
};

use super::reading::Items;

/// The visitor of an enum. Errors list the variants.
pub(super) struct Enum<V> {
    pub(super) variants: &'static [&'static str],
    pub(super) visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Enum<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((last, others)) = self.variants.split_last() else {
            return self.visitor.expecting(f);
        };
        for (index, name) in others.iter().enumerate() {
            write!(f, "{}`{name}`", if index == 0 { "" } else { ", " })?;
        }
        write!(f, "{}`{last}`", if others.is_empty() { "" } else { " or " })
    }

    #[inline]
    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(StrDeserializer::new(name))
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<V::Value, E> {
        self.visitor.visit_enum(BorrowedStrDeserializer::new(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        let content = MapAccessDeserializer::new(Items(&mut map));
        let value = self.visitor.visit_enum(content)?;
        if map.next_key::<IgnoredAny>()?.is_some() {
            return Err(Error::invalid_value(Unexpected::Map, &"map with a single key"));
        }
        Ok(value)
    }
}
