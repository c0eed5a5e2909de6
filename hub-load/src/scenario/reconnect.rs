//! Reconnect storms: all clients are disconnected and reconnect at once.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use http::Method;
use tokio::{task::JoinSet, time::timeout};

use super::{Shared, recorder::Recorder};
use crate::{
    LoadError, Report,
    client::dialer::Dialer,
    measure::{
        histogram::Histogram,
        progress::Progress,
        report::{Latency, grouped},
    },
    messages::payload::{Payloads, rest_body},
    rest::RestClient,
};

/// Number of messages to all clients after each storm. Each client must receive each message once.
const MESSAGES: u64 = 10;
/// Time to wait for messages. Later messages count as lost.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sums over all storms.
#[derive(Default)]
struct Totals {
    reconnects: Histogram,
    messages: Histogram,
    returned: u64,
    received: u64,
    duration: Duration,
}

/// Connects all clients, runs the storms and fills the report.
pub(crate) async fn run(shared: &Arc<Shared>, report: &mut Report) -> Result<(), LoadError> {
    let args = &shared.args;
    let dialer = Dialer::new(args)?;
    let rest = dialer.rest_client(args).await?.ok_or_else(LoadError::no_service)?;
    let clients = dialer.connect_all(args, &shared.stats, report).await?.reading;
    drop(dialer);
    let mut recorders: Vec<_> =
        clients.into_iter().map(|client| Recorder::start(client, shared)).collect();
    let (progress, mut totals) = (Progress::new(args), Totals::default());
    for round in 1..=args.rounds {
        recorders = reconnect_all(shared, recorders, &mut totals).await?;
        let count = grouped(recorders.len() as f64);
        progress.show(&format!("storm {round} of {}: {count} reconnected", args.rounds));
        broadcast_to_all(shared, &rest, &recorders, &mut totals).await?;
    }
    shared.stop.cancel();
    report.operations = totals.returned;
    report.operation = Latency::of(&totals.reconnects);
    report.messages = totals.received;
    report.latency = Latency::of(&totals.messages);
    report.set_duration(totals.duration);
    Ok(())
}

/// Disconnects all clients and returns those that reconnected.
async fn reconnect_all(
    shared: &Arc<Shared>,
    recorders: Vec<Recorder>,
    totals: &mut Totals,
) -> Result<Vec<Recorder>, LoadError> {
    // A new dialer has no pooled connections, so each client opens its own, as in a real storm.
    let dialer = Arc::new(Dialer::new(&shared.args)?);
    let count = recorders.len();
    recorders.iter().for_each(Recorder::abort);
    for recorder in recorders {
        recorder.aborted().await;
    }
    let disconnected = Instant::now();
    let mut connecting = JoinSet::new();
    for _ in 0..count {
        let dialer = Arc::clone(&dialer);
        connecting.spawn(async move { (dialer.client().await, disconnected.elapsed()) });
    }
    let mut reconnected = Vec::with_capacity(count);
    while let Some(joined) = connecting.join_next().await {
        let (client, took) = joined.map_err(LoadError::protocol)?;
        match client {
            Ok(client) => {
                totals.reconnects.record(took);
                reconnected.push(Recorder::start(client, shared));
            }
            Err(error) => shared.stats.error(error),
        }
    }
    totals.returned += reconnected.len() as u64;
    totals.duration += disconnected.elapsed();
    if reconnected.is_empty() {
        return Err(LoadError::Closed("no client reconnected".to_owned()));
    }
    Ok(reconnected)
}

/// Sends messages to all clients and counts the received ones.
async fn broadcast_to_all(
    shared: &Shared,
    rest: &RestClient,
    recorders: &[Recorder],
    totals: &mut Totals,
) -> Result<(), LoadError> {
    let http = Dialer::new(&shared.args)?.http;
    let payloads = Payloads { length: shared.args.payload };
    let mut sent = Vec::new();
    for number in 0..MESSAGES {
        let body = rest_body(&shared.args.message, payloads, number);
        sent.push(Instant::now());
        rest.call_ok(&http, Method::POST, ":send", body).await?;
    }
    // On a timeout the missing messages are counted as lost below.
    let all = async {
        for recorder in recorders {
            recorder.wait_for(MESSAGES - 1).await;
        }
    };
    let _ = timeout(RECEIVE_TIMEOUT, all).await;
    for recorder in recorders {
        let (received, mut new) = (recorder.take(), HashSet::new());
        for (number, at) in &received {
            if new.insert(*number)
                && let Some(sent) = usize::try_from(*number).ok().and_then(|it| sent.get(it))
            {
                totals.messages.record(at.duration_since(*sent));
            }
        }
        let (received, new) = (received.len() as u64, new.len() as u64);
        totals.received += new;
        shared.stats.lost.fetch_add(MESSAGES.saturating_sub(new), Ordering::Relaxed);
        shared.stats.duplicated.fetch_add(received - new, Ordering::Relaxed);
    }
    Ok(())
}
