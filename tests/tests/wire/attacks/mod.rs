//! Attacks on the app, each at the entrance that it would take: over sockets where the server has a say,
//! else straight at its service.

mod answers;
mod fields;
mod seals;
mod sockets;
