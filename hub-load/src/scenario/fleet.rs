//! Clients that record their messages, the service that sends to them, and the results of the run.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use http::Method;
use tokio::time::timeout;

use super::{Shared, recorder::Recorder};
use crate::{
    LoadError, Report,
    client::dialer::Dialer,
    measure::{histogram::Histogram, report::Latency},
    messages::payload::{Payloads, rest_body},
    rest::RestClient,
};

/// Time to wait for messages. Later messages count as lost.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// The clients of a scenario that counts every message.
pub(crate) struct Fleet<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) rest: RestClient,
    pub(crate) recorders: Vec<Recorder>,
    pub(crate) operations: Histogram,
    /// Total time of all operations.
    pub(crate) duration: Duration,
    /// Number of the next message. Numbers are unique within a run.
    next: u64,
    latency: Histogram,
}

impl<'a> Fleet<'a> {
    /// Connects the clients.
    pub(crate) async fn connect(
        shared: &'a Arc<Shared>,
        report: &mut Report,
    ) -> Result<Self, LoadError> {
        let args = &shared.args;
        let dialer = Arc::new(Dialer::new(args)?);
        let rest = dialer.rest_client(args).await?.ok_or_else(|| {
            let text = "this scenario requires the --connection-string of the service";
            LoadError::Arguments(text.to_owned())
        })?;
        let clients = dialer.connect_all(args, &shared.stats, report).await?.reading;
        Ok(Self {
            shared,
            rest,
            recorders: clients.into_iter().map(|it| Recorder::start(it, shared)).collect(),
            operations: Histogram::default(),
            duration: Duration::ZERO,
            next: 0,
            latency: Histogram::default(),
        })
    }

    /// Sends one message to each of `paths` by REST, then counts the messages that each client has received.
    /// `expected` takes the index of a client and of a path, and returns whether the client receives the
    /// message to that path. The last path must address all clients. The service keeps messages in order, so
    /// a client that has received the last message receives no further messages.
    pub(crate) async fn send(
        &mut self,
        paths: &[String],
        expected: impl Fn(usize, usize) -> bool,
    ) -> Result<(), LoadError> {
        let (args, stats, first) = (&self.shared.args, &self.shared.stats, self.next);
        let mut sent = Vec::new();
        for path in paths {
            let body = rest_body(&args.message, Payloads { length: args.payload }, self.next);
            self.next += 1;
            sent.push(Instant::now());
            self.rest.call(Method::POST, path, body).await?;
        }
        let all = async {
            for recorder in &self.recorders {
                recorder.wait_for(self.next - 1).await;
            }
        };
        // On a timeout the missing messages are counted as lost below.
        let _ = timeout(RECEIVE_TIMEOUT, all).await;
        for (client, recorder) in self.recorders.iter().enumerate() {
            let wanted = (0..paths.len()).filter(|path| expected(client, *path));
            let wanted: HashSet<u64> = wanted.map(|path| first + path as u64).collect();
            let mut missing = wanted.clone();
            for (number, at) in recorder.take() {
                if missing.remove(&number) {
                    let index = usize::try_from(number - first).unwrap_or(usize::MAX);
                    if let Some(sent) = sent.get(index) {
                        self.latency.record(at.duration_since(*sent));
                    }
                } else if wanted.contains(&number) {
                    stats.duplicated.fetch_add(1, Ordering::Relaxed);
                } else {
                    stats.error("a client received a message to a group that it is not in");
                }
            }
            stats.lost.fetch_add(missing.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Fills the report.
    pub(crate) fn finish(self, report: &mut Report) {
        report.operations = self.operations.count();
        report.operation = Latency::of(&self.operations);
        report.messages = self.latency.count();
        report.latency = Latency::of(&self.latency);
        report.set_duration(self.duration);
    }
}
