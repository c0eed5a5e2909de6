//! A token reader for MessagePack in a slice. It allocates no memory, so wrong lengths are harmless.

use rmp::Marker;

use crate::protocol::{MAX_DEPTH, ProtocolError};

const ENDED: ProtocolError = ProtocolError::MessagePack("the data ends within a value");
const RESERVED: ProtocolError = ProtocolError::MessagePack("the byte C1 is no value");
const TEXT: ProtocolError = ProtocolError::MessagePack("a text is not UTF-8");
const NO_TEXT: ProtocolError = ProtocolError::MessagePack("a text was expected");
const NO_ARRAY: ProtocolError = ProtocolError::MessagePack("an array was expected");
const NO_MAP: ProtocolError = ProtocolError::MessagePack("a map was expected");
const NO_INTEGER: ProtocolError = ProtocolError::MessagePack("an integer was expected");

/// A value, or the header of an array or map with the number of elements or pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float32(f32),
    Float64(f64),
    /// Not validated as UTF-8.
    Text(&'a [u8]),
    Binary(&'a [u8]),
    Array(u32),
    Map(u32),
    Extension(i8, &'a [u8]),
}

/// The remaining bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number of remaining bytes.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether the next value is nil.
    pub(crate) fn is_nil(&self) -> bool {
        self.rest.first() == Some(&Marker::Null.to_u8())
    }

    pub(crate) fn token(&mut self) -> Result<Token<'a>, ProtocolError> {
        let [marker] = self.array()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Token::Nil,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(value) => Token::Unsigned(value.into()),
            Marker::FixNeg(value) => Token::Signed(value.into()),
            Marker::U8 => Token::Unsigned(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Token::Signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Token::Signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Token::Signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Token::Signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Token::Float32(f32::from_be_bytes(self.array()?)),
            Marker::F64 => Token::Float64(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => Token::Text(self.take(length.into())?),
            Marker::Str8 => Token::Text(self.sized8()?),
            Marker::Str16 => Token::Text(self.sized16()?),
            Marker::Str32 => Token::Text(self.sized32()?),
            Marker::Bin8 => Token::Binary(self.sized8()?),
            Marker::Bin16 => Token::Binary(self.sized16()?),
            Marker::Bin32 => Token::Binary(self.sized32()?),
            Marker::FixArray(length) => Token::Array(length.into()),
            Marker::Array16 => Token::Array(u16::from_be_bytes(self.array()?).into()),
            Marker::Array32 => Token::Array(u32::from_be_bytes(self.array()?)),
            Marker::FixMap(length) => Token::Map(length.into()),
            Marker::Map16 => Token::Map(u16::from_be_bytes(self.array()?).into()),
            Marker::Map32 => Token::Map(u32::from_be_bytes(self.array()?)),
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => {
                let length = u8::from_be_bytes(self.array()?);
                self.extension(length.into())?
            }
            Marker::Ext16 => {
                let length = u16::from_be_bytes(self.array()?);
                self.extension(length.into())?
            }
            Marker::Ext32 => {
                let length = u32::from_be_bytes(self.array()?);
                self.extension(length)?
            }
            Marker::Reserved => return Err(RESERVED),
        })
    }

    /// Reads a text.
    pub(crate) fn text(&mut self) -> Result<&'a str, ProtocolError> {
        match self.token()? {
            Token::Text(text) => utf8(text),
            _ => Err(NO_TEXT),
        }
    }

    /// Reads the header of an array and returns the number of elements.
    pub(crate) fn array_length(&mut self) -> Result<u32, ProtocolError> {
        match self.token()? {
            Token::Array(length) => Ok(length),
            _ => Err(NO_ARRAY),
        }
    }

    /// Reads the header of a map and returns the number of pairs.
    pub(crate) fn map_length(&mut self) -> Result<u32, ProtocolError> {
        match self.token()? {
            Token::Map(length) => Ok(length),
            _ => Err(NO_MAP),
        }
    }

    /// Reads an integer. A value above `i64::MAX` becomes `i64::MAX`.
    pub(crate) fn integer(&mut self) -> Result<i64, ProtocolError> {
        match self.token()? {
            Token::Unsigned(value) => Ok(i64::try_from(value).unwrap_or(i64::MAX)),
            Token::Signed(value) => Ok(value),
            _ => Err(NO_INTEGER),
        }
    }

    /// Skips one value and returns its bytes. `depth` is the current nesting depth.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<&'a [u8], ProtocolError> {
        let start = self.rest;
        self.pass(depth)?;
        let length = start.len() - self.rest.len();
        Ok(start.get(..length).unwrap_or_default())
    }

    fn pass(&mut self, depth: usize) -> Result<(), ProtocolError> {
        let (length, each) = match self.token()? {
            Token::Array(length) => (length, 1),
            Token::Map(length) => (length, 2),
            _ => return Ok(()),
        };
        if depth >= MAX_DEPTH {
            return Err(ProtocolError::TooDeep { limit: MAX_DEPTH });
        }
        // Each value has at least one byte, so a wrong length ends the loop at the end of the slice.
        for _ in 0..u64::from(length) * each {
            self.pass(depth + 1)?;
        }
        Ok(())
    }

    fn extension(&mut self, length: u32) -> Result<Token<'a>, ProtocolError> {
        let [kind] = self.array()?;
        Ok(Token::Extension(i8::from_be_bytes([kind]), self.take(length)?))
    }

    fn sized8(&mut self) -> Result<&'a [u8], ProtocolError> {
        let length = u8::from_be_bytes(self.array()?);
        self.take(length.into())
    }

    fn sized16(&mut self) -> Result<&'a [u8], ProtocolError> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(length.into())
    }

    fn sized32(&mut self) -> Result<&'a [u8], ProtocolError> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(length)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(ENDED)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], ProtocolError> {
        let length = usize::try_from(length).map_err(|_| ENDED)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ENDED)?;
        self.rest = rest;
        Ok(taken)
    }
}

pub(super) fn utf8(text: &[u8]) -> Result<&str, ProtocolError> {
    str::from_utf8(text).map_err(|_| TEXT)
}
