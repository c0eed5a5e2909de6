//! The answers of each room, for clients that join late.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

const MAX_ROOMS: usize = 100;
const MAX_NAME: usize = 40;
const MAX_PROMPT: usize = 300;
/// Maximum number of stored answers per room.
const MAX_ANSWERS: usize = 20;

/// An answer, possibly incomplete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answer {
    pub id: u64,
    pub prompt: String,
    /// Tokens by index.
    pub tokens: Vec<String>,
    pub done: bool,
}

/// Errors of rooms and questions, with texts for users.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// The name is empty, too long, or contains invalid characters.
    #[error("A room's name has 1 to {MAX_NAME} letters, digits or hyphens.")]
    Name,
    /// Another answer is being written in the room.
    #[error("The room already has a running answer. Wait, or stop it.")]
    Busy,
    /// The question is empty or too long.
    #[error("A question has between 1 and {MAX_PROMPT} characters.")]
    Prompt,
    /// The maximum number of rooms is reached.
    #[error("There are already {MAX_ROOMS} rooms, the maximum.")]
    TooMany,
}

/// All rooms. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Rooms(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    rooms: HashMap<String, Vec<Answer>>,
    /// Running answers: the room of each, and its cancellation token.
    writing: HashMap<u64, (String, CancellationToken)>,
}

impl Rooms {
    /// Checks the name of a room.
    ///
    /// # Errors
    ///
    /// The name is invalid.
    pub fn check_name(room: &str) -> Result<(), RoomError> {
        let fits = (1..=MAX_NAME).contains(&room.chars().count())
            && room.chars().all(|character| character.is_alphanumeric() || character == '-');
        if fits { Ok(()) } else { Err(RoomError::Name) }
    }

    /// The answers of a room, oldest first.
    #[must_use]
    pub fn said_in(&self, room: &str) -> Vec<Answer> {
        self.lock().rooms.get(room).cloned().unwrap_or_default()
    }

    /// Starts an answer. Returns it with its cancellation token.
    ///
    /// # Errors
    ///
    /// The room or the question is invalid, or the room is busy.
    pub fn ask(&self, room: &str, prompt: &str) -> Result<(Answer, CancellationToken), RoomError> {
        Self::check_name(room)?;
        let prompt = prompt.trim();
        if prompt.is_empty() || prompt.chars().count() > MAX_PROMPT {
            return Err(RoomError::Prompt);
        }
        let mut state = self.lock();
        if state.writing.values().any(|(busy, _)| busy == room) {
            return Err(RoomError::Busy);
        }
        if state.rooms.len() >= MAX_ROOMS && !state.rooms.contains_key(room) {
            return Err(RoomError::TooMany);
        }
        state.last_id += 1;
        let id = state.last_id;
        let answer = Answer { id, prompt: prompt.to_owned(), tokens: Vec::new(), done: false };
        let answers = state.rooms.entry(room.to_owned()).or_default();
        if answers.len() >= MAX_ANSWERS {
            answers.remove(0);
        }
        answers.push(answer.clone());
        let cancelled = CancellationToken::new();
        state.writing.insert(id, (room.to_owned(), cancelled.clone()));
        Ok((answer, cancelled))
    }

    /// Stores the next token of an answer.
    pub fn say(&self, id: u64, token: &str) {
        self.change(id, |answer| answer.tokens.push(token.to_owned()));
    }

    /// Stops an answer. Returns false if it is not running.
    #[must_use]
    pub fn cancel(&self, id: u64) -> bool {
        let state = self.lock();
        let Some((_, cancelled)) = state.writing.get(&id) else { return false };
        cancelled.cancel();
        true
    }

    /// Marks an answer as complete.
    pub fn end(&self, id: u64) {
        self.change(id, |answer| answer.done = true);
        self.lock().writing.remove(&id);
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Answer)) {
        let mut state = self.lock();
        let Some((room, _)) = state.writing.get(&id) else { return };
        let room = room.clone();
        let answers = state.rooms.get_mut(&room).into_iter().flatten();
        if let Some(answer) = answers.rev().find(|answer| answer.id == id) {
            change(answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_stored_until_the_answer_ends() {
        let rooms = Rooms::default();
        let (answer, _) = rooms.ask("lobby", " why? ").unwrap();

        rooms.say(answer.id, "be");
        rooms.say(answer.id, "cause");
        rooms.end(answer.id);
        rooms.say(answer.id, "!");

        let tokens = vec!["be".to_owned(), "cause".to_owned()];
        let expected = Answer { id: 1, prompt: "why?".into(), tokens, done: true };
        assert_eq!(rooms.said_in("lobby"), [expected]);
        assert!(rooms.said_in("elsewhere").is_empty());
    }

    #[test]
    fn a_room_gives_one_answer_at_a_time() {
        let rooms = Rooms::default();
        let (first, _) = rooms.ask("lobby", "one").unwrap();

        assert_eq!(rooms.ask("lobby", "two").unwrap_err(), RoomError::Busy);
        assert!(rooms.ask("garden", "two").is_ok());
        rooms.end(first.id);
        assert!(rooms.ask("lobby", "two").is_ok());
    }

    #[test]
    fn only_a_running_answer_can_be_cancelled() {
        let rooms = Rooms::default();
        let (answer, cancelled) = rooms.ask("lobby", "why").unwrap();

        assert!(rooms.cancel(answer.id));
        assert!(cancelled.is_cancelled());
        rooms.end(answer.id);
        assert!(!rooms.cancel(answer.id));
    }

    #[test]
    fn rooms_names_questions_and_stored_answers_are_limited() {
        let rooms = Rooms::default();
        for number in 0..MAX_ROOMS {
            let (answer, _) = rooms.ask(&number.to_string(), "why").unwrap();
            rooms.end(answer.id);
        }

        assert_eq!(rooms.ask("one-more", "why").unwrap_err(), RoomError::TooMany);
        assert_eq!(rooms.ask("two words", "why").unwrap_err(), RoomError::Name);
        assert_eq!(rooms.ask("0", " ").unwrap_err(), RoomError::Prompt);
        assert_eq!(rooms.ask("0", &"x".repeat(301)).unwrap_err(), RoomError::Prompt);
        for _ in 0..=MAX_ANSWERS {
            let (answer, _) = rooms.ask("0", "why").unwrap();
            rooms.end(answer.id);
        }
        assert_eq!(rooms.said_in("0").len(), MAX_ANSWERS);
    }
}
