//! What the service of a replay records.

use std::{collections::HashMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::mpsc::UnboundedReceiver, time::timeout};

use super::recording::{Answer, Exchange, Place};

/// The answers of the app during a replay, by connection and place.
pub(super) struct Watch {
    events: UnboundedReceiver<String>,
    /// The number of calls of each connection.
    counts: HashMap<String, usize>,
    exchanges: HashMap<u64, Exchange>,
    answers: HashMap<Exchange, Answer>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    kind: String,
    connection: Option<String>,
    call: Option<u64>,
    again: Option<u64>,
    status: Option<u64>,
    body: Value,
    cause: Option<String>,
    text: Option<String>,
    fix: Option<String>,
}

impl Watch {
    pub(super) fn new(events: UnboundedReceiver<String>) -> Self {
        Self { events, counts: HashMap::new(), exchanges: HashMap::new(), answers: HashMap::new() }
    }

    /// Waits for the answer of an exchange. `None` if there is none in time.
    pub(super) async fn answer(&mut self, of: &Exchange, within: Duration) -> Option<Answer> {
        let waiting = async {
            loop {
                if let Some(answer) = self.answers.remove(of) {
                    return Some(answer);
                }
                let event = self.events.recv().await?;
                self.see(&event);
            }
        };
        timeout(within, waiting).await.ok().flatten()
    }

    fn see(&mut self, event: &str) {
        let Ok(event) = serde_json::from_str::<Event>(event) else { return };
        let (Some(call), None) = (event.call, event.again) else { return };
        let place = match &*event.kind {
            "connected" => Place::Connected,
            "disconnected" => Place::Disconnected,
            "invocation" => {
                let connection = event.connection.clone().unwrap_or_default();
                let count = self.counts.entry(connection).or_default();
                *count += 1;
                Place::Call(*count - 1)
            }
            "answer" => {
                let Some(exchange) = self.exchanges.remove(&call) else { return };
                let Event { status, body, cause, text, fix, .. } = event;
                let answer = Answer { status, body, cause, text, fix, ..Answer::default() };
                self.answers.insert(exchange, answer);
                return;
            }
            _ => return,
        };
        let connection = event.connection.unwrap_or_default();
        self.exchanges.insert(call, Exchange { connection, place });
    }
}
