//! Bytes: Base64 text in JSON, binary data in MessagePack. A list of numbers is read in both.

use std::fmt;

use base64::{
    alphabet,
    display::Base64Display,
    engine::{
        DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::STANDARD,
    },
};
use serde::de::{Error, SeqAccess, Unexpected, Visitor, value::SeqDeserializer};

use super::{
    dates::excerpt,
    reading::{Items, is},
};

/// Base64 with optional padding. Clients write padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn to_base64(bytes: &[u8]) -> Base64Display<'_, 'static, GeneralPurpose> {
    Base64Display::new(bytes, &STANDARD)
}

fn from_base64<E: Error>(text: &str) -> Result<Vec<u8>, E> {
    LENIENT
        .decode(text)
        .map_err(|_| E::invalid_value(Unexpected::Str(excerpt(text)), &"bytes in Base64"))
}

/// The visitor of a type that asks for bytes.
pub(super) struct Binary<V>(pub(super) V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Binary<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes (in Base64, as binary data or as a list of numbers)")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.0.visit_byte_buf(from_base64(text)?)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<V::Value, E> {
        self.0.visit_bytes(bytes)
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<V::Value, E> {
        self.0.visit_borrowed_bytes(bytes)
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<V::Value, E> {
        self.0.visit_byte_buf(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Items(items))
    }
}

/// The visitor of a list. It takes bytes as a list of numbers.
pub(super) struct List<V>(pub(super) V);

impl<'de, V: Visitor<'de>> List<V> {
    fn numbers<E: Error>(self, bytes: &[u8]) -> Result<V::Value, E> {
        let mut numbers = SeqDeserializer::new(bytes.iter().copied());
        let value = self.0.visit_seq(&mut numbers)?;
        numbers.end().map(|()| value)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for List<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    /// Only a list of `u8` is read from Base64 text.
    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let name = std::any::type_name::<V::Value>();
        if is::<V::Value, Vec<u8>>() || name.starts_with("[u8; ") {
            return self.numbers(&from_base64::<E>(text)?);
        }
        Err(E::invalid_type(Unexpected::Str(text), &self))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<V::Value, E> {
        self.numbers(bytes)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Items(items))
    }
}

/// The visitor of the adapters.
pub(super) struct ToVec;

impl<'de> Visitor<'de> for ToVec {
    type Value = Vec<u8>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}
