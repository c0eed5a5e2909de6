//! A history of events from clients and apps, and the rules that it must satisfy.
//!
//! Clients and apps write [`Event`]s, each with its time, so that those of several processes can be
//! put in order. [`check`] then lists the violated guarantees.

mod check;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

pub use self::check::check;

/// One thing that happened. A client is named by its connection id; calls and messages of one client
/// have rising numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "event")]
pub enum Event {
    /// A client is in: what is accepted from now on reaches it.
    Joined {
        /// The client.
        client: String,
    },
    /// A client has ended or was ended, and promises no more.
    Left {
        /// The client.
        client: String,
    },
    /// A client calls a method and wants an answer.
    Invoked {
        /// The client.
        client: String,
        /// The number of its call.
        number: u64,
    },
    /// The answer has come.
    Completed {
        /// The client.
        client: String,
        /// The number of its call.
        number: u64,
        /// What the client reads where the call failed.
        error: Option<String>,
    },
    /// A message to everyone has come.
    Received {
        /// The client that got it.
        client: String,
        /// The client in whose call it was sent.
        sender: String,
        /// Its number.
        number: u64,
    },
    /// The app got `connected`.
    Connected {
        /// The client.
        client: String,
    },
    /// The app got `disconnected`.
    Disconnected {
        /// The client.
        client: String,
    },
    /// The app ran a call.
    Ran {
        /// The client that called.
        client: String,
        /// The number of its call.
        number: u64,
    },
    /// The app begins to send a message to everyone.
    Sending {
        /// The client in whose call it is sent.
        sender: String,
        /// Its number.
        number: u64,
    },
    /// The send of the app has returned.
    Sent {
        /// The client in whose call it was sent.
        sender: String,
        /// Its number.
        number: u64,
        /// What became of it.
        fate: Fate,
    },
}

/// The result of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// The service accepted it.
    Accepted,
    /// An error, after which it may have been sent all the same.
    Unknown,
    /// An error that promises that it was not sent.
    NotSent,
}

/// An [`Event`] and when it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// In nanoseconds since 1970.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Entry {
    /// Something that happens now.
    #[must_use]
    pub fn now(event: Event) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { at: u64::try_from(at.as_nanos()).unwrap_or(u64::MAX), event }
    }
}

/// A history that many write; clones write the same one.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<Entry>>>);

impl History {
    /// Writes down what happens now.
    pub fn note(&self, event: Event) {
        self.add(Entry::now(event));
    }

    /// Writes down what another process saw.
    pub fn add(&self, entry: Entry) {
        self.lock().push(entry);
    }

    /// Everything so far, in order of time.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut entries = self.lock().clone();
        entries.sort_by_key(|entry| entry.at);
        entries.into_iter().map(|entry| entry.event).collect()
    }

    /// How many events of a kind there are.
    #[must_use]
    pub fn count(&self, is_meant: impl Fn(&Event) -> bool) -> usize {
        self.lock().iter().filter(|entry| is_meant(&entry.event)).count()
    }

    /// Forgets everything that has to do with none of these clients.
    pub fn forget_all_but(&self, clients: &[&str]) {
        let mut entries = self.lock();
        entries.retain(|entry| {
            matches!(&entry.event, Event::Joined { client } if clients.contains(&client.as_str()))
        });
        entries.shrink_to_fit();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
