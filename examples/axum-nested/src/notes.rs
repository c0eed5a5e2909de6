//! State shared by the hub and the routes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use schemars::JsonSchema;
use serde::Serialize;

const MAX_NOTES: usize = 200;
const MAX_TEXT: usize = 280;

/// One note on the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Note {
    pub id: u64,
    pub text: String,
}

/// Errors of the board, with texts for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is empty or too long.
    #[error("A note has between 1 and {MAX_TEXT} characters.")]
    Text,
    /// The board is full.
    #[error("The board is full. Remove a note first.")]
    Full,
    /// The note does not exist.
    #[error("There is no note {0}.")]
    Unknown(u64),
}

/// All notes, by id.
#[derive(Debug, Default)]
pub struct Notes(Mutex<(u64, BTreeMap<u64, Note>)>);

impl Notes {
    /// All notes, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Note> {
        self.lock().1.values().cloned().collect()
    }

    /// Adds a note.
    ///
    /// # Errors
    ///
    /// The text is invalid, or the board is full.
    pub fn add(&self, text: &str) -> Result<Note, NoteError> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_TEXT {
            return Err(NoteError::Text);
        }
        let mut state = self.lock();
        if state.1.len() >= MAX_NOTES {
            return Err(NoteError::Full);
        }
        state.0 += 1;
        let note = Note { id: state.0, text: text.to_owned() };
        state.1.insert(note.id, note.clone());
        Ok(note)
    }

    /// Removes a note.
    ///
    /// # Errors
    ///
    /// No note has this id.
    pub fn remove(&self, id: u64) -> Result<(), NoteError> {
        self.lock().1.remove(&id).map(drop).ok_or(NoteError::Unknown(id))
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Note>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_ids_are_stable_and_never_reused() {
        let notes = Notes::default();
        let [first, second] = ["milk", " bread "].map(|text| notes.add(text).unwrap());

        notes.remove(second.id).unwrap();
        let third = notes.add("tea").unwrap();

        assert_eq!(notes.all(), [first, third.clone()]);
        assert_eq!((second.text.as_str(), third.id), ("bread", 3));
        assert_eq!(notes.remove(2), Err(NoteError::Unknown(2)));
    }

    #[test]
    fn the_number_and_length_of_notes_are_limited() {
        let notes = Notes::default();
        for number in 0..MAX_NOTES {
            notes.add(&number.to_string()).unwrap();
        }

        assert_eq!(notes.add("one more"), Err(NoteError::Full));
        assert_eq!(notes.add(" "), Err(NoteError::Text));
        assert_eq!(notes.add(&"x".repeat(281)), Err(NoteError::Text));
    }
}
