//! A history of events from clients and apps, and the guarantees that it must satisfy.
//!
//! Clients and apps record [`Event`]s, each with its time, so that the events of several processes
//! can be sorted. [`check`] lists the violated guarantees.

mod check;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

pub use self::check::check;

/// An event. A client is identified by its connection id. Calls and messages of one client have
/// increasing numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "event")]
pub enum Event {
    /// A client is connected: every message that is accepted from now on reaches it.
    Joined {
        /// The client.
        client: String,
    },
    /// The connection of a client has ended. No guarantees apply to it from now on.
    Left {
        /// The client.
        client: String,
    },
    /// A client calls a method and expects a completion.
    Invoked {
        /// The client.
        client: String,
        /// The number of its call.
        number: u64,
    },
    /// The completion has arrived.
    Completed {
        /// The client.
        client: String,
        /// The number of its call.
        number: u64,
        /// The error, if the call failed.
        error: Option<String>,
    },
    /// A broadcast has arrived.
    Received {
        /// The client that received it.
        client: String,
        /// The client whose call sent it.
        sender: String,
        /// The number of the message.
        number: u64,
    },
    /// The app received `connected`.
    Connected {
        /// The client.
        client: String,
    },
    /// The app received `disconnected`.
    Disconnected {
        /// The client.
        client: String,
    },
    /// The app ran a call.
    Ran {
        /// The caller.
        client: String,
        /// The number of its call.
        number: u64,
    },
    /// The app starts to send a broadcast.
    Sending {
        /// The client whose call sends it.
        sender: String,
        /// The number of the message.
        number: u64,
    },
    /// The send has returned in the app.
    Sent {
        /// The client whose call sent it.
        sender: String,
        /// The number of the message.
        number: u64,
        /// The result of the send.
        fate: Fate,
    },
}

/// The result of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// The service accepted it.
    Accepted,
    /// The send failed, but the message may have been sent.
    Unknown,
    /// The send failed, and the error guarantees that the message was not sent.
    NotSent,
}

/// An [`Event`] and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Nanoseconds since 1970.
    pub at: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

impl Entry {
    /// Creates an entry with the current time.
    #[must_use]
    pub fn now(event: Event) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { at: u64::try_from(at.as_nanos()).unwrap_or(u64::MAX), event }
    }
}

/// A history with several writers. Clones share the same entries.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<Entry>>>);

impl History {
    /// Records an event with the current time.
    pub fn note(&self, event: Event) {
        self.add(Entry::now(event));
    }

    /// Records an entry of another process.
    pub fn add(&self, entry: Entry) {
        self.lock().push(entry);
    }

    /// Returns all events so far, sorted by time.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut entries = self.lock().clone();
        entries.sort_by_key(|entry| entry.at);
        entries.into_iter().map(|entry| entry.event).collect()
    }

    /// Counts the events that satisfy a condition.
    #[must_use]
    pub fn count(&self, is_meant: impl Fn(&Event) -> bool) -> usize {
        self.lock().iter().filter(|entry| is_meant(&entry.event)).count()
    }

    /// Removes all entries except the `Joined` events of these clients.
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
