//! Deserialization of client arguments from MessagePack.
//!
//! It supports the types that JSON supports, with the same error texts. A UUID is decoded from text, a
//! timestamp is converted to RFC 3339 text, and a map key that is a number may be encoded as text. In
//! addition, binary data is supported.

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected, VariantAccess,
        Visitor,
        value::{Error, SeqDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    reader::{Reader, Token, utf8},
    timestamp::{TIMESTAMP, to_rfc3339},
};
use crate::protocol::{MAX_DEPTH, ProtocolError};

/// Decodes one value. No bytes may follow it.
pub(super) fn read<'de, S: DeserializeSeed<'de>>(
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value, Error> {
    let mut source = Source { reader: Reader::new(bytes), depth: 0 };
    let value = seed.deserialize(&mut source)?;
    if source.reader.len() > 0 {
        return Err(Error::custom("bytes follow the value"));
    }
    Ok(value)
}

struct Source<'de> {
    reader: Reader<'de>,
    depth: usize,
}

impl<'de> Source<'de> {
    fn token(&mut self) -> Result<Token<'de>, Error> {
        self.reader.token().map_err(Error::custom)
    }

    /// Visits the elements of an array or the pairs of a map. The visitor must consume all of them.
    fn within<T>(
        &mut self,
        length: u32,
        visit: impl FnOnce(&mut Elements<'_, 'de>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::custom(ProtocolError::TooDeep { limit: MAX_DEPTH }));
        }
        self.depth += 1;
        let mut elements = Elements { source: self, left: length };
        let value = visit(&mut elements)?;
        let left = elements.left;
        self.depth -= 1;
        if left > 0 {
            let expected = format!("{} elements", length - left);
            return Err(Error::custom(format_args!(
                "invalid length {length}, expected {expected}"
            )));
        }
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for &mut Source<'de> {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        true
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Float32(value) => visitor.visit_f32(value),
            Token::Float64(value) => visitor.visit_f64(value),
            Token::Text(text) => visitor.visit_borrowed_str(utf8(text).map_err(Error::custom)?),
            Token::Binary(bytes) => visitor.visit_borrowed_bytes(bytes),
            Token::Array(length) => self.within(length, |elements| visitor.visit_seq(elements)),
            Token::Map(length) => self.within(length, |elements| visitor.visit_map(elements)),
            Token::Extension(TIMESTAMP, data) => match to_rfc3339(data) {
                Some(text) => visitor.visit_string(text),
                None => Err(Error::custom("the timestamp is malformed or out of range")),
            },
            Token::Extension(_, data) => visitor.visit_borrowed_bytes(data),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.reader.is_nil() {
            self.token()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Binary data is a list of numbers if the target type is a sequence.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut ahead = self.reader;
        if let Ok(Token::Binary(bytes)) = ahead.token() {
            self.reader = ahead;
            let mut numbers = SeqDeserializer::new(bytes.iter().copied());
            let value = visitor.visit_seq(&mut numbers)?;
            return numbers.end().map(|()| value);
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut ahead = self.reader;
        match ahead.token().map_err(Error::custom)? {
            Token::Text(text) => {
                self.reader = ahead;
                let name = StrDeserializer::new(utf8(text).map_err(Error::custom)?);
                visitor.visit_enum(name)
            }
            Token::Map(1) => {
                self.reader = ahead;
                self.within(1, |elements| {
                    elements.left = 0;
                    visitor.visit_enum(Variant(&mut *elements.source))
                })
            }
            Token::Map(_) => Err(Error::invalid_value(Unexpected::Map, &"map with a single key")),
            // Neither form of an enum: the visitor returns its error.
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.reader.skip(self.depth).map_err(Error::custom)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct map struct identifier
    }
}

/// The elements of an array, or the pairs of a map.
struct Elements<'a, 'de> {
    source: &'a mut Source<'de>,
    left: u32,
}

impl Elements<'_, '_> {
    fn take(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// The number of remaining elements, but at most the number of remaining bytes, so that a wrong length does
    /// not cause a large allocation.
    fn trusted_len(&self) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX).min(self.source.reader.len())
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if !self.take() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.source).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.trusted_len())
    }
}

impl<'de> MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if !self.take() {
            return Ok(None);
        }
        seed.deserialize(Key(&mut *self.source)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.source)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.trusted_len())
    }
}

/// The key of a map. JavaScript objects have only text keys, so a number may be encoded as text.
struct Key<'a, 'de>(&'a mut Source<'de>);

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty;)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
                let mut ahead = self.0.reader;
                if let Ok(number) = ahead.text().unwrap_or_default().parse::<$number>() {
                    self.0.reader = ahead;
                    return visitor.$visit(number);
                }
                self.0.deserialize_any(visitor)
            }
        )+
    };
}

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_option(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    numbers! {
        deserialize_i8 visit_i64 i64;
        deserialize_i16 visit_i64 i64;
        deserialize_i32 visit_i64 i64;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u64 u64;
        deserialize_u16 visit_u64 u64;
        deserialize_u32 visit_u64 u64;
        deserialize_u64 visit_u64 u64;
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// An enum variant with content: a map of one pair.
struct Variant<'a, 'de>(&'a mut Source<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = seed.deserialize(&mut *self.0)?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }
}
