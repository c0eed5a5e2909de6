//! Reads a recording: the calls of clients and the answers of the app, in order.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;

use super::time;
use crate::record::VERSION;

/// A recording, as far as a replay needs it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recording {
    /// What to do, in order.
    pub(super) steps: Vec<Step>,
    /// What each client returned to the app, in order, by connection.
    pub(super) results: HashMap<String, VecDeque<ClientResult>>,
    /// Why some calls cannot be replayed.
    pub left_out: Vec<String>,
    /// Whether the last line is incomplete. The recording ends before it.
    pub is_cut: bool,
}

/// One step of a replay, at its time since the first one.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) at: Duration,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Connect(Client),
    Call(Call),
    /// The answer of a call arrived.
    Answer(Exchange, Answer),
    Close {
        connection: String,
        /// Whether the transport was lost without a close.
        is_lost: bool,
    },
}

/// A client that connects.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) connection: String,
    pub(super) hub: String,
    pub(super) user: Option<String>,
    pub(super) is_binary: bool,
    pub(super) claims: Vec<Claim>,
    /// Whether the claims were in a seal.
    pub(super) is_sealed: bool,
    pub(super) query: String,
}

/// A claim of a client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Claim {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) value: String,
}

/// A client's call of a hub method.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) exchange: Exchange,
    pub(super) method: String,
    /// Whether the client expects a completion.
    pub(super) is_invoke: bool,
    pub(super) arguments: Value,
}

/// What a client returned to the app.
#[derive(Clone, Debug)]
pub(super) struct ClientResult {
    pub(super) method: String,
    pub(super) outcome: Result<Option<Value>, String>,
}

/// One request to the app: the connection, and its place among the requests of the connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Exchange {
    pub(super) connection: String,
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Connected,
    /// The number of the call in its connection.
    Call(usize),
    Disconnected,
}

/// What the app answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) status: Option<u64>,
    pub(super) body: Value,
    /// Why there is no usable answer, and what to check.
    pub(super) cause: Option<String>,
    pub(super) text: Option<String>,
    pub(super) fix: Option<String>,
    /// The number of the call in the recording.
    pub(super) call: u64,
    /// The called method, or the event of the connection.
    pub(super) method: String,
}

/// Why a recording cannot be read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("the recording cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first line is not that of a recording.
    #[error(
        "the file is no recording: its first line must be {{\"version\":{VERSION},\"kind\":\"recording\",…}}, as `hub-local start --record FILE` writes it"
    )]
    NoRecording,
    /// The recording has another version.
    #[error(
        "the recording has version {found}, and this hub-local reads version {VERSION}: record again, or use the hub-local that wrote it{}",
        .by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default()
    )]
    Version {
        /// The version in the file.
        found: u64,
        /// The version of the hub-local that wrote it.
        by: Option<String>,
    },
    /// A line before the last one is not an event.
    #[error("line {number} of the recording is no event: {problem}")]
    Line {
        /// The number of the line; the first one is 1.
        number: usize,
        /// What is wrong.
        problem: String,
    },
}

impl fmt::Debug for RecordingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

#[derive(Deserialize)]
struct Head {
    version: u64,
    kind: String,
    hub_local: Option<String>,
}

/// An event. Other members and kinds are ignored.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    at: String,
    kind: String,
    hub: String,
    connection: Option<String>,
    user: Option<String>,
    call: Option<u64>,
    protocol: Option<String>,
    claims: Vec<Claim>,
    sealed: Option<bool>,
    query: String,
    invocation: Option<String>,
    method: String,
    arguments: Value,
    again: Option<u64>,
    status: Option<u64>,
    body: Value,
    cause: Option<String>,
    text: Option<String>,
    fix: Option<String>,
    result: Option<Value>,
    error: Option<String>,
    count: Option<u64>,
    reason: Option<String>,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be read, is no recording, has another version, or contains a line that is no event. An
    /// incomplete last line is no error, see [`Self::is_cut`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        Self::read(BufReader::new(File::open(path)?))
    }

    /// Reads a recording.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn read(mut from: impl BufRead) -> Result<Self, RecordingError> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        let head: Head = serde_json::from_slice(&line).map_err(|_| RecordingError::NoRecording)?;
        if head.kind != "recording" {
            return Err(RecordingError::NoRecording);
        }
        if head.version != VERSION {
            return Err(RecordingError::Version { found: head.version, by: head.hub_local });
        }
        let mut reader = Reader::default();
        for number in 2.. {
            line.clear();
            from.read_until(b'\n', &mut line)?;
            if line.is_empty() {
                break;
            }
            let is_whole = line.ends_with(b"\n");
            match serde_json::from_slice::<Event>(&line) {
                Ok(event) => reader.event(event),
                Err(_) if !is_whole => {
                    reader.recording.is_cut = true;
                    break;
                }
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(error) => {
                    return Err(RecordingError::Line { number, problem: error.to_string() });
                }
            }
        }
        Ok(reader.recording)
    }

    /// The number of calls of hub methods.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.what, What::Call(_))).count()
    }
}

#[derive(Default)]
struct Reader {
    recording: Recording,
    first: Option<u64>,
    /// The connections, with the number of their calls so far.
    open: HashMap<String, usize>,
    exchanges: HashMap<u64, (Exchange, String)>,
    skipped: HashSet<u64>,
}

impl Reader {
    fn event(&mut self, event: Event) {
        let at = time::parse(&event.at).or(self.first).unwrap_or_default();
        let since = at.saturating_sub(*self.first.get_or_insert(at));
        let at = Duration::from_micros(since);
        let connection = event.connection.clone().unwrap_or_default();
        match &*event.kind {
            "connected" => self.connected(at, event, connection),
            "invocation" if event.again.is_none() => self.invocation(at, event, connection),
            "answer" => self.answer(at, event),
            "disconnected" if self.open.remove(&connection).is_some() => {
                self.expect(event.call, &connection, Place::Disconnected, "disconnected");
                let is_lost = event.cause.as_deref() == Some("lost_transport");
                self.push(at, What::Close { connection, is_lost });
            }
            "client_result" => {
                let outcome = event.error.map_or(Ok(event.result), Err);
                let result = ClientResult { method: event.method, outcome };
                self.recording.results.entry(connection).or_default().push_back(result);
            }
            "left_out" => {
                let (count, reason) = (event.count.unwrap_or_default(), event.reason);
                let reason = reason.unwrap_or_default();
                self.recording.left_out.push(format!("{count} events: {reason}"));
            }
            _ => {}
        }
    }

    fn push(&mut self, at: Duration, what: What) {
        self.recording.steps.push(Step { at, what });
    }

    /// The answer with this number will be that of an exchange.
    fn expect(&mut self, call: Option<u64>, connection: &str, place: Place, method: &str) {
        let Some(call) = call else { return };
        let exchange = Exchange { connection: connection.to_owned(), place };
        self.exchanges.insert(call, (exchange, method.to_owned()));
    }

    fn connected(&mut self, at: Duration, event: Event, connection: String) {
        self.expect(event.call, &connection, Place::Connected, "connected");
        self.open.insert(connection.clone(), 0);
        self.connect(at, connection, event);
    }

    fn connect(&mut self, at: Duration, connection: String, event: Event) {
        let client = Client {
            connection,
            hub: event.hub,
            user: event.user,
            is_binary: event.protocol.as_deref() == Some("messagepack"),
            claims: event.claims,
            is_sealed: event.sealed.unwrap_or(true),
            query: event.query,
        };
        self.push(at, What::Connect(client));
    }

    fn invocation(&mut self, at: Duration, event: Event, connection: String) {
        let Some(number) = self.open.get_mut(&connection) else {
            let method = &event.method;
            let text = format!("a call of `{method}`: the recording begins after its client");
            self.recording.left_out.push(text);
            self.skipped.extend(event.call);
            return;
        };
        if let Some(problem) = unplayable(&event.arguments) {
            let (method, call) = (&event.method, event.call.unwrap_or_default());
            self.recording.left_out.push(format!("call {call} of `{method}`: {problem}"));
            self.skipped.extend(event.call);
            return;
        }
        let place = Place::Call(*number);
        *number += 1;
        self.expect(event.call, &connection, place, &event.method);
        let call = Call {
            exchange: Exchange { connection, place },
            method: event.method,
            is_invoke: event.invocation.is_some(),
            arguments: event.arguments,
        };
        self.push(at, What::Call(call));
    }

    fn answer(&mut self, at: Duration, event: Event) {
        let Some(call) = event.call else { return };
        let Some((exchange, method)) = self.exchanges.remove(&call) else { return };
        let Event { status, body, cause, text, fix, .. } = event;
        let answer = Answer { status, body, cause, text, fix, call, method };
        self.push(at, What::Answer(exchange, answer));
    }
}

/// Why a call with these arguments cannot be sent.
fn unplayable(arguments: &Value) -> Option<&'static str> {
    match arguments {
        Value::Array(items) if items.iter().any(is_hidden) => {
            Some("a field of its arguments is masked")
        }
        Value::Array(_) => None,
        Value::Object(members) if members.contains_key("cut") => {
            Some("its arguments are longer than recordings keep")
        }
        _ => Some("its arguments are not in the recording, which was made without payloads"),
    }
}

/// Stands for a value that events do not show.
pub(super) const HIDDEN: &str = "•••";

fn is_hidden(value: &Value) -> bool {
    match value {
        Value::String(text) => text == HIDDEN,
        Value::Array(items) => items.iter().any(is_hidden),
        Value::Object(members) => members.values().any(is_hidden),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
