//! The rooms, and the rules for their names.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

const MAX_ROOMS: usize = 100;
const MAX_NAME: usize = 40;

/// The rooms of the chat, by name in lower case: names that differ in case only are one room. The lobby always
/// exists.
#[derive(Debug)]
pub struct Rooms(Mutex<BTreeMap<String, String>>);

/// Errors of rooms, with texts for users.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// The room has not been opened.
    #[error("There is no room called {0}.")]
    Unknown(String),
    /// The room has been opened before.
    #[error("The room {0} is already open.")]
    Open(String),
    /// The name is empty or too long.
    #[error("A room's name has 1 to {MAX_NAME} characters, and this one has {0}.")]
    Length(usize),
    /// The name contains an invalid character.
    #[error("A room's name has only letters, digits and hyphens.")]
    Character,
    /// The maximum number of rooms is reached.
    #[error("There are already {MAX_ROOMS} rooms, the maximum.")]
    TooMany,
}

impl Rooms {
    /// The room that all users join.
    pub const LOBBY: &str = "lobby";

    /// The names of all rooms, sorted.
    pub fn names(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }

    /// Returns the room's name in the spelling of its opening.
    ///
    /// # Errors
    ///
    /// [`RoomError::Unknown`].
    pub fn find(&self, room: &str) -> Result<String, RoomError> {
        let known = self.lock().get(&room.to_lowercase()).cloned();
        known.ok_or_else(|| RoomError::Unknown(room.to_owned()))
    }

    /// Checks that a room of this name can be opened.
    ///
    /// # Errors
    ///
    /// The name is invalid, the room is open, or there are too many rooms.
    pub fn check_new(&self, room: &str) -> Result<(), RoomError> {
        check_new(room, &self.lock())
    }

    /// Adds a room.
    ///
    /// # Errors
    ///
    /// See [`Rooms::check_new`].
    pub fn open(&self, room: &str) -> Result<(), RoomError> {
        let mut rooms = self.lock();
        check_new(room, &rooms)?;
        rooms.insert(room.to_lowercase(), room.to_owned());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_new(room: &str, rooms: &BTreeMap<String, String>) -> Result<(), RoomError> {
    let length = room.chars().count();
    if !(1..=MAX_NAME).contains(&length) {
        return Err(RoomError::Length(length));
    }
    if !room.chars().all(|c| c.is_alphanumeric() || c == '-') {
        return Err(RoomError::Character);
    }
    match rooms.get(&room.to_lowercase()) {
        Some(open) => Err(RoomError::Open(open.clone())),
        None if rooms.len() >= MAX_ROOMS => Err(RoomError::TooMany),
        None => Ok(()),
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::from([(Self::LOBBY.to_owned(), Self::LOBBY.to_owned())])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lobby_always_exists() {
        assert_eq!(Rooms::default().find("lobby"), Ok("lobby".into()));
    }

    #[test]
    fn a_room_opens_once_in_any_case() {
        let rooms = Rooms::default();

        assert_eq!(rooms.open("Straße"), Ok(()));
        assert_eq!(rooms.open("STRAßE"), Err(RoomError::Open("Straße".into())));
        assert_eq!(rooms.check_new("straße"), Err(RoomError::Open("Straße".into())));
        assert_eq!(rooms.find("sTRAßE"), Ok("Straße".into()));
        assert_eq!(rooms.names(), ["lobby", "Straße"]);
    }

    #[test]
    fn the_error_names_an_unknown_room() {
        let error = Rooms::default().find("x").unwrap_err();

        assert_eq!(error.to_string(), "There is no room called x.");
    }

    #[test]
    fn a_name_has_letters_digits_or_hyphens() {
        let rooms = Rooms::default();

        for name in ["two words", "..", "a/b"] {
            assert_eq!(rooms.open(name), Err(RoomError::Character), "{name}");
        }
        for length in [0, 41] {
            assert_eq!(rooms.open(&"x".repeat(length)), Err(RoomError::Length(length)));
        }
        assert_eq!(rooms.open("тихо-2"), Ok(()));
    }

    #[test]
    fn the_number_of_rooms_is_limited() {
        let rooms = Rooms::default();
        for number in 1..MAX_ROOMS {
            assert_eq!(rooms.open(&number.to_string()), Ok(()));
        }

        assert_eq!(rooms.open("one-more"), Err(RoomError::TooMany));
    }
}
