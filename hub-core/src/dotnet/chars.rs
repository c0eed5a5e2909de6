//! `char`: a UTF-16 code unit.

use std::{fmt, str::FromStr};

use super::{ParseError, text_or_number};

/// A `System.Char`. It holds the characters up to U+FFFF.
///
/// In JSON, text of one character; in MessagePack, its UTF-16 code unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Char(char);

const EXPECTED: &str = "a character up to U+FFFF";

impl Char {
    /// The character.
    #[must_use]
    pub const fn get(self) -> char {
        self.0
    }

    fn code_unit(self) -> u32 {
        self.0.into()
    }
}

text_or_number!(Char, "a character up to U+FFFF", code_unit, |unit| {
    char::from_u32(u32::try_from(unit).ok()?)?.try_into().ok()
});

impl TryFrom<char> for Char {
    type Error = ParseError;

    fn try_from(character: char) -> Result<Self, ParseError> {
        if character > '\u{FFFF}' {
            return Err(ParseError::expected(EXPECTED, character.encode_utf8(&mut [0; 4])));
        }
        Ok(Self(character))
    }
}

impl From<Char> for char {
    fn from(character: Char) -> Self {
        character.0
    }
}

impl fmt::Display for Char {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Char {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => character.try_into(),
            _ => Err(ParseError::expected(EXPECTED, text)),
        }
    }
}

/// A `char` as a [`Char`].
pub mod character {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};

    use super::Char;

    /// Writes the character.
    ///
    /// # Errors
    /// When the character is beyond U+FFFF.
    pub fn serialize<S: Serializer>(character: &char, serializer: S) -> Result<S::Ok, S::Error> {
        Char::try_from(*character).map_err(S::Error::custom)?.serialize(serializer)
    }

    /// Reads a character.
    ///
    /// # Errors
    /// When the value is neither a text of one character nor a code unit.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<char, D::Error> {
        Char::deserialize(deserializer).map(Char::get)
    }
}
