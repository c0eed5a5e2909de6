//! Replays the steps of a recording in order.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::Duration,
};

use hub_core::{Secret, seal::SealKey};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep_until},
};

use super::{
    client::Connected,
    compare::{Difference, describe, is_same},
    encode::{self, Ids},
    recording::{Answer, Call, Client, ClientResult, Exchange, Recording, What},
    watch::Watch,
};
use crate::LocalService;

/// How long a replay waits for an answer by default: longer than the default timeout of upstream calls.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(110);

/// How fast a recording is replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "hidden from the documentation")]
pub enum Pace {
    /// As fast as the app answers.
    #[default]
    Fast,
    /// With the pauses of the recording.
    AsRecorded,
}

/// A replay: a service, and what it records.
pub struct Replay<'a> {
    service: &'a LocalService,
    events: UnboundedReceiver<String>,
    sealing: Option<SealKey>,
    pace: Pace,
    answer_timeout: Duration,
}

impl fmt::Debug for Replay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({:?})", self.service)
    }
}

/// What a replay has found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The number of answers that were compared.
    pub compared: usize,
    /// The answers that differ.
    pub differences: Vec<Difference>,
    /// Why some calls were not replayed.
    pub left_out: Vec<String>,
}

/// The app answered nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the app answered none of the {calls} calls: {failure}")]
pub struct ReplayError {
    /// The number of calls that were sent.
    pub calls: usize,
    /// The failure of the first one, with what to check.
    pub failure: String,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compared, differences, left_out } = self;
        writeln!(formatter, "{compared} answers compared, {} differ", differences.len())?;
        for difference in differences {
            writeln!(formatter, "{difference}")?;
        }
        for text in left_out {
            writeln!(formatter, "not replayed: {text}")?;
        }
        Ok(())
    }
}

impl<'a> Replay<'a> {
    /// `events` are those that `service` records.
    #[must_use]
    pub fn new(service: &'a LocalService, events: UnboundedReceiver<String>) -> Self {
        let (pace, answer_timeout) = (Pace::default(), ANSWER_TIMEOUT);
        Self { service, events, sealing: None, pace, answer_timeout }
    }

    /// Sets the key of seals. Defaults to the access key.
    #[must_use]
    pub fn sealing_key(self, key: SealKey) -> Self {
        Self { sealing: Some(key), ..self }
    }

    /// Sets the pace.
    #[must_use]
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Sets how long to wait for an answer.
    #[must_use]
    pub fn answer_timeout(self, timeout: Duration) -> Self {
        Self { answer_timeout: timeout, ..self }
    }

    /// Replays all steps. Clients that are connected at the end are closed.
    ///
    /// # Errors
    /// When the app answers no call, and did so in the recording.
    pub async fn run(self, recording: &Recording) -> Result<Report, ReplayError> {
        let access_key = || {
            let key = self.service.signing_key();
            SealKey::derive(&key.unwrap_or_else(|| Secret::from("")))
        };
        let mut player = Player {
            service: self.service,
            sealing: self.sealing.unwrap_or_else(access_key),
            answer_timeout: self.answer_timeout,
            watch: Watch::new(self.events),
            clients: HashMap::new(),
            results: recording.results.clone(),
            who: HashMap::new(),
            to_new: Ids::default(),
            to_old: Ids::default(),
            report: Report { left_out: recording.left_out.clone(), ..Report::default() },
            first_failure: None,
            has_answers: false,
        };
        let started = Instant::now();
        for step in &recording.steps {
            if self.pace == Pace::AsRecorded {
                sleep_until(started + step.at).await;
            }
            player.step(&step.what).await;
            if !player.has_answers
                && let Some(failure) = player.first_failure
            {
                return Err(ReplayError { calls: player.report.compared, failure });
            }
        }
        for (_, client) in player.clients.drain() {
            client.close().await;
        }
        Ok(player.report)
    }
}

struct Player<'a> {
    service: &'a LocalService,
    sealing: SealKey,
    answer_timeout: Duration,
    watch: Watch,
    /// The clients by their recorded ids.
    clients: HashMap<String, Connected>,
    /// What the clients return to the app, by connection.
    results: HashMap<String, VecDeque<ClientResult>>,
    /// Hub, user and new id of each connection.
    who: HashMap<String, (String, Option<String>, String)>,
    to_new: Ids,
    to_old: Ids,
    report: Report,
    /// The first failure without an answer of the app, where the recording has one.
    first_failure: Option<String>,
    has_answers: bool,
}

impl Player<'_> {
    async fn step(&mut self, what: &What) {
        match what {
            What::Connect(client) => self.connect(client).await,
            What::Call(call) => self.call(call).await,
            What::Answer(exchange, recorded) => self.compare(exchange, recorded).await,
            What::Close { connection, is_lost } => {
                let Some(client) = self.clients.remove(connection) else { return };
                if *is_lost {
                    drop(client);
                } else {
                    client.close().await;
                }
            }
        }
    }

    async fn connect(&mut self, client: &Client) {
        let results = self.results.remove(&client.connection).unwrap_or_default();
        match Connected::open(self.service, client, results, &self.sealing).await {
            Ok(connected) => {
                self.to_new.insert(&client.connection, &connected.id);
                self.to_old.insert(&connected.id, &client.connection);
                let who = (client.hub.clone(), client.user.clone(), connected.id.clone());
                self.who.insert(client.connection.clone(), who);
                self.clients.insert(client.connection.clone(), connected);
            }
            Err(text) => {
                let of = client.user.as_deref().unwrap_or("an anonymous client");
                self.report.left_out.push(format!("the calls of {of}: {text}"));
            }
        }
    }

    async fn call(&mut self, call: &Call) {
        let Some(client) = self.clients.get_mut(&call.exchange.connection) else { return };
        let mut arguments = call.arguments.clone();
        self.to_new.replace(&mut arguments);
        match encode::value(client.protocol(), &arguments) {
            Ok(arguments) => client.call(&call.method, call.is_invoke, arguments).await,
            Err(text) => {
                self.report.left_out.push(format!("a call of `{}`: {text}", call.method));
            }
        }
    }

    async fn compare(&mut self, exchange: &Exchange, recorded: &Answer) {
        let Some((hub, user, id)) = self.who.get(&exchange.connection) else { return };
        let new = Exchange { connection: id.clone(), place: exchange.place };
        let answer = self.watch.answer(&new, self.answer_timeout).await;
        let mut answer = answer.unwrap_or_else(|| Answer {
            text: Some(
                "no call in time: the connection has ended, or the app does not answer".to_owned(),
            ),
            ..Answer::default()
        });
        self.to_old.replace(&mut answer.body);
        self.report.compared += 1;
        self.has_answers |= answer.status.is_some() || recorded.status.is_none();
        if is_same(recorded, &answer) {
            return;
        }
        if answer.status.is_none() && self.first_failure.is_none() {
            self.first_failure = Some(describe(&answer));
        }
        self.report.differences.push(Difference {
            call: recorded.call,
            hub: hub.clone(),
            user: user.clone(),
            method: recorded.method.clone(),
            recorded: describe(recorded),
            replayed: describe(&answer),
        });
    }
}
