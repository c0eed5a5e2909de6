//! Deserialization of client arguments from MessagePack, as far as it differs from JSON. [`Reading`] adds the common
//! rules of both protocols. A timestamp is RFC 3339 text, and a member that is nil may be omitted, because JavaScript writes
//! `undefined` as nil.

use std::{any::type_name, borrow::Cow, mem::take};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};

use super::{
    TIMESTAMP, ValueError as Error,
    reader::{Reader, Token, utf8},
    to_json,
};
use crate::{
    protocol::{MAX_DEPTH, ProtocolError},
    values::{Moment, Reading, to_base64},
};

/// The private name by which `serde_json` asks for raw JSON.
const RAW_JSON: &str = "$serde_json::private::RawValue";
/// The maximum number of members that are omitted because their type does not take nil.
const MAX_OMITTED: usize = 64;
/// The maximum number of bytes that are decoded again for all omitted members together.
const MAX_DECODED_AGAIN: usize = 4 * 1024 * 1024;

/// A member of a map: the name of the map's type, and the key.
type Member<'de> = (&'static str, &'de [u8]);

/// Decodes one value. No bytes may follow the value.
pub(super) fn read<'de, S: DeserializeSeed<'de> + Copy>(
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value, Error> {
    let mut omitted = Vec::new();
    let mut first = None;
    loop {
        let mut source = Source {
            reader: Reader::new(bytes),
            depth: 0,
            omitted: &omitted,
            nil: None,
            is_struct: false,
        };
        let value = seed.deserialize(Reading::new(&mut source));
        let (nil, is_all) = (source.nil, source.reader.len() == 0);
        match value {
            Ok(value) if is_all => return Ok(value),
            Ok(_) => return Err(Error::custom("bytes follow the value")),
            // The type of this member did not take nil. It is decoded again as if the member were missing, so that
            // `#[serde(default)]` applies as it does for `undefined` in JSON.
            Err(error) => match nil {
                Some(member)
                    if omitted.len() < MAX_OMITTED.min(MAX_DECODED_AGAIN / bytes.len().max(1)) =>
                {
                    first.get_or_insert(error);
                    omitted.push(member);
                }
                _ => return Err(first.unwrap_or(error)),
            },
        }
    }
}

struct Source<'s, 'de> {
    reader: Reader<'de>,
    depth: usize,
    /// The members to omit if they are nil.
    omitted: &'s [Member<'de>],
    /// The member that is being read, if it is nil.
    nil: Option<Member<'de>>,
    /// Whether the next value is read as a struct. Only members of structs can have defaults.
    is_struct: bool,
}

impl<'s, 'de> Source<'s, 'de> {
    fn token(&mut self) -> Result<Token<'de>, Error> {
        self.reader.token().map_err(Error::custom)
    }

    /// Visits the elements of an array or the pairs of a map. The visitor must consume all of them.
    fn within<T>(
        &mut self,
        length: u32,
        target: &'static str,
        is_struct: bool,
        visit: impl FnOnce(&mut Elements<'_, 's, 'de>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::custom(ProtocolError::TooDeep { limit: MAX_DEPTH }));
        }
        self.depth += 1;
        let mut elements = Elements { source: self, left: length, target, is_struct, nil: None };
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

impl<'de> Deserializer<'de> for &mut Source<'_, 'de> {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        true
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let target = type_name::<V::Value>();
        let is_struct = take(&mut self.is_struct);
        match self.token()? {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Float32(value) => visitor.visit_f32(value),
            Token::Float64(value) => visitor.visit_f64(value),
            Token::Text(text) => visitor.visit_borrowed_str(utf8(text).map_err(Error::custom)?),
            Token::Binary(bytes) => visitor.visit_borrowed_bytes(bytes),
            Token::Array(length) => {
                self.within(length, target, is_struct, |it| visitor.visit_seq(it))
            }
            Token::Map(length) => {
                self.within(length, target, is_struct, |it| visitor.visit_map(it))
            }
            Token::Extension(TIMESTAMP, data) => match Moment::from_extension(data) {
                Some(moment) => visitor.visit_string(moment.text()),
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
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name != RAW_JSON {
            return visitor.visit_newtype_struct(self);
        }
        let value = self.reader.skip(self.depth).map_err(Error::custom)?;
        let json = to_json(value).map_err(Error::custom)?;
        let json = str::from_utf8(&json).map_err(Error::custom)?.to_owned();
        visitor.visit_map(MapDeserializer::new(std::iter::once((RAW_JSON, json))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.is_struct = true;
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.reader.skip(self.depth).map_err(Error::custom)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier
    }
}

/// The elements of an array, or the pairs of a map.
struct Elements<'a, 's, 'de> {
    source: &'a mut Source<'s, 'de>,
    left: u32,
    /// The name of the type that is read.
    target: &'static str,
    /// Whether that type is a struct.
    is_struct: bool,
    /// The last member, if it is nil.
    nil: Option<Member<'de>>,
}

impl Elements<'_, '_, '_> {
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

impl<'de> SeqAccess<'de> for &mut Elements<'_, '_, 'de> {
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

impl<'de> MapAccess<'de> for &mut Elements<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        while self.take() {
            let depth = self.source.depth;
            let mut ahead = self.source.reader;
            let key = ahead.skip(depth).map_err(Error::custom)?;
            self.nil = (self.is_struct && ahead.is_nil()).then_some((self.target, key));
            if self.nil.is_some_and(|member| self.source.omitted.contains(&member)) {
                ahead.skip(depth).map_err(Error::custom)?;
                self.source.reader = ahead;
                continue;
            }
            return seed.deserialize(Key(&mut *self.source)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.source.nil = self.nil.take();
        let value = seed.deserialize(&mut *self.source)?;
        self.source.nil = None;
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.trusted_len())
    }
}

/// The key of a map. JavaScript objects and JSON have only text keys, so a number may be encoded as text, and every
/// key is text for a type that asks for text.
struct Key<'a, 's, 'de>(&'a mut Source<'s, 'de>);

impl<'de> Key<'_, '_, 'de> {
    fn text(self) -> Result<Cow<'de, str>, Error> {
        Ok(Cow::Owned(match self.0.token()? {
            Token::Text(text) => return utf8(text).map(Cow::Borrowed).map_err(Error::custom),
            Token::Unsigned(number) => number.to_string(),
            Token::Signed(number) => number.to_string(),
            Token::Float32(number) => serde_json::to_string(&number).map_err(Error::custom)?,
            Token::Float64(number) => serde_json::to_string(&number).map_err(Error::custom)?,
            Token::Bool(value) => value.to_string(),
            Token::Binary(bytes) | Token::Extension(0.., bytes) => to_base64(bytes).to_string(),
            Token::Extension(TIMESTAMP, data) => {
                let moment = Moment::from_extension(data);
                moment.ok_or_else(|| Error::custom("a timestamp is malformed"))?.text()
            }
            _ => return Err(Error::custom("a map key is not a text, a number or a boolean")),
        }))
    }
}

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

macro_rules! texts {
    ($($method:ident)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
                match self.text()? {
                    Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                    Cow::Owned(text) => visitor.visit_string(text),
                }
            }
        )+
    };
}

impl<'de> Deserializer<'de> for Key<'_, '_, 'de> {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        true
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    texts! { deserialize_str deserialize_string deserialize_identifier }

    numbers! {
        deserialize_i8 visit_i64 i64;
        deserialize_i16 visit_i64 i64;
        deserialize_i32 visit_i64 i64;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u64 u64;
        deserialize_u16 visit_u64 u64;
        deserialize_u32 visit_u64 u64;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f64 f64;
        deserialize_f64 visit_f64 f64;
    }

    forward_to_deserialize_any! {
        bool char bytes byte_buf unit unit_struct seq tuple tuple_struct map struct enum ignored_any
    }
}
