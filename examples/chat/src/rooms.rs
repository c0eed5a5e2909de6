//! The rooms, and the rules for their names.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

const MAX_ROOMS: usize = 100;
const MAX_NAME: usize = 40;

/// The rooms of the chat. The lobby always exists.
#[derive(Debug)]
pub struct Rooms(Mutex<HashSet<String>>);

/// Errors of rooms, with texts for users.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// The room has not been opened.
    #[error("there is no room called {0}")]
    Unknown(String),
    /// The name is empty, too long, or contains invalid characters.
    #[error("a room's name has 1 to {MAX_NAME} letters, digits or hyphens")]
    Name,
    /// The maximum number of rooms is reached.
    #[error("there are already {MAX_ROOMS} rooms, the maximum")]
    TooMany,
}

impl Rooms {
    /// The room that all users join.
    pub const LOBBY: &str = "lobby";

    /// Returns the name if the room exists.
    ///
    /// # Errors
    ///
    /// [`RoomError::Unknown`].
    pub fn find(&self, room: String) -> Result<String, RoomError> {
        if self.lock().contains(&room) { Ok(room) } else { Err(RoomError::Unknown(room)) }
    }

    /// Returns the name if it is valid for a room.
    ///
    /// # Errors
    ///
    /// [`RoomError::Name`].
    pub fn check_name(room: String) -> Result<String, RoomError> {
        let length = room.chars().count();
        let plain = room.chars().all(|c| c.is_alphanumeric() || c == '-');
        if plain && (1..=MAX_NAME).contains(&length) { Ok(room) } else { Err(RoomError::Name) }
    }

    /// Adds a room. Returns false if it exists already.
    ///
    /// # Errors
    ///
    /// The name is invalid, or there are too many rooms.
    pub fn open(&self, room: String) -> Result<bool, RoomError> {
        let room = Self::check_name(room)?;
        let mut rooms = self.lock();
        if rooms.len() >= MAX_ROOMS && !rooms.contains(&room) {
            return Err(RoomError::TooMany);
        }
        Ok(rooms.insert(room))
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Self(Mutex::new(HashSet::from([Self::LOBBY.to_owned()])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lobby_always_exists() {
        assert_eq!(Rooms::default().find("lobby".into()), Ok("lobby".into()));
    }

    #[test]
    fn a_room_opens_once() {
        let rooms = Rooms::default();

        assert_eq!(rooms.open("rust".into()), Ok(true));
        assert_eq!(rooms.open("rust".into()), Ok(false));
        assert!(rooms.find("rust".into()).is_ok());
    }

    #[test]
    fn the_error_names_an_unknown_room() {
        let error = Rooms::default().find("x".into()).unwrap_err();

        assert_eq!(error.to_string(), "there is no room called x");
    }

    #[test]
    fn a_name_has_letters_digits_or_hyphens() {
        let rooms = Rooms::default();

        for name in ["", "two words", "..", "a/b", &"x".repeat(41)] {
            assert_eq!(rooms.open(name.into()), Err(RoomError::Name), "{name}");
        }
        assert_eq!(rooms.open("тихо-2".into()), Ok(true));
    }

    #[test]
    fn the_number_of_rooms_is_limited() {
        let rooms = Rooms::default();
        for number in 1..MAX_ROOMS {
            assert_eq!(rooms.open(number.to_string()), Ok(true));
        }

        assert_eq!(rooms.open("one-more".into()), Err(RoomError::TooMany));
        assert_eq!(rooms.open("lobby".into()), Ok(false));
    }
}
