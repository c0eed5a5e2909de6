//! Attacks on the app, over sockets if its server is involved, otherwise directly on its tower service.

mod answers;
mod fields;
mod floods;
mod hosts;
mod seals;
mod sockets;
