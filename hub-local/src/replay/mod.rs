//! Replays recordings: the recorded clients connect to a service again, with new tokens, seals and ids, and repeat their
//! calls. The answers of the app are compared with the recorded ones.
//!
//! The module is hidden: the command and the test hub of `hub-runtime` use it.

mod client;
mod compare;
mod encode;
mod player;
mod recording;
mod time;
mod watch;

pub use self::{
    compare::Difference,
    player::{Pace, Replay, ReplayError, Report},
    recording::{Recording, RecordingError},
};
