//! Attacks on the app: over sockets where its server is involved, else directly on its tower service.

mod answers;
mod fields;
mod seals;
mod sockets;
