//! The messages in the rooms, and the rules for their texts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MAX_TEXT: usize = 1_000;

/// One message in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage {
    pub room: String,
    pub from: String,
    pub text: String,
}

/// Why a text is refused. `Display` writes a sentence for users.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text has nothing but white space.
    #[error("Write a message first.")]
    Empty,
    /// The text is too long.
    #[error("A message has at most {MAX_TEXT} characters, and this one has {0}.")]
    Long(usize),
}

impl NewMessage {
    /// # Errors
    ///
    /// The text is empty or too long.
    pub fn new(room: String, from: String, text: String) -> Result<Self, TextError> {
        match text.chars().count() {
            _ if text.trim().is_empty() => Err(TextError::Empty),
            length if length > MAX_TEXT => Err(TextError::Long(length)),
            _ => Ok(Self { room, from, text }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Result<NewMessage, TextError> {
        NewMessage::new("lobby".into(), "ada".into(), text.into())
    }

    #[test]
    fn a_text_is_neither_empty_nor_longer_than_the_limit() {
        assert_eq!(message(""), Err(TextError::Empty));
        assert_eq!(message(" \n"), Err(TextError::Empty));
        assert_eq!(message(&"ü".repeat(1_001)), Err(TextError::Long(1_001)));
        assert!(message(&"ü".repeat(1_000)).is_ok());
    }
}
