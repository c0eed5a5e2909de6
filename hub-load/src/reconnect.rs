//! Reconnect storms: everyone is cut off at once and comes back at once.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use http::Method;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    LoadError, Shared,
    entrance::Entrance,
    histogram::Histogram,
    listener::Listener,
    message::{Payloads, rest_body},
    progress::Progress,
    report::{Latency, Report, grouped},
    service::Service,
};

/// How many messages everyone gets after a storm: each client must have each of them once.
const MESSAGES: u64 = 10;
/// How long they are waited for.
const LAST: Duration = Duration::from_secs(30);

/// What happened so far.
#[derive(Default)]
struct Totals {
    reconnects: Histogram,
    messages: Histogram,
    returned: u64,
    received: u64,
    spent: Duration,
}

/// Connects everyone, lets the storms come, and writes down what happened.
pub(crate) async fn run(shared: &Arc<Shared>, report: &mut Report) -> Result<(), LoadError> {
    let args = &shared.args;
    let entrance = Entrance::new(args)?;
    let service = entrance.service(args).await?.ok_or_else(LoadError::no_service)?;
    let clients = entrance.connect_all(shared, report).await?.clients;
    drop(entrance);
    let mut listeners: Vec<_> =
        clients.into_iter().map(|client| Listener::start(client, shared)).collect();
    let (progress, mut totals) = (Progress::new(args), Totals::default());
    for round in 1..=args.rounds {
        listeners = storm(shared, listeners, &mut totals).await?;
        let back = grouped(listeners.len() as f64);
        progress.show(&format!("storm {round} of {}: {back} are back", args.rounds));
        reach(shared, &service, &listeners, &mut totals).await?;
    }
    shared.stop.cancel();
    report.operations = totals.returned;
    report.operation = Latency::of(&totals.reconnects);
    report.messages = totals.received;
    report.latency = Latency::of(&totals.messages);
    report.spent(totals.spent);
    Ok(())
}

/// Cuts everyone, and returns who came back.
async fn storm(
    shared: &Arc<Shared>,
    listeners: Vec<Listener>,
    totals: &mut Totals,
) -> Result<Vec<Listener>, LoadError> {
    // Nothing is kept from before: each client opens its own connections, as in a storm.
    let entrance = Arc::new(Entrance::new(&shared.args)?);
    let count = listeners.len();
    listeners.iter().for_each(Listener::cut);
    for listener in listeners {
        listener.gone().await;
    }
    let cut = Instant::now();
    let mut coming = JoinSet::new();
    for _ in 0..count {
        let entrance = Arc::clone(&entrance);
        coming.spawn(async move { (entrance.client().await, cut.elapsed()) });
    }
    let mut back = Vec::with_capacity(count);
    while let Some(come) = coming.join_next().await {
        let (client, took) = come.map_err(LoadError::protocol)?;
        match client {
            Ok(client) => {
                totals.reconnects.record(took);
                back.push(Listener::start(client, shared));
            }
            Err(error) => shared.stats.error(error),
        }
    }
    totals.returned += back.len() as u64;
    totals.spent += cut.elapsed();
    if back.is_empty() {
        return Err(LoadError::Closed("nobody came back".to_owned()));
    }
    Ok(back)
}

/// Sends some messages to everyone, and looks who has got them.
async fn reach(
    shared: &Shared,
    service: &Service,
    listeners: &[Listener],
    totals: &mut Totals,
) -> Result<(), LoadError> {
    let http = Entrance::new(&shared.args)?.http;
    let payloads = Payloads { length: shared.args.payload };
    let mut sent = Vec::new();
    for number in 0..MESSAGES {
        let body = rest_body(&shared.args.message, payloads, number);
        sent.push(Instant::now());
        service.done(&http, Method::POST, ":send", body).await?;
    }
    // What has not come by then is lost.
    let all = async {
        for listener in listeners {
            listener.until(MESSAGES - 1).await;
        }
    };
    let _ = timeout(LAST, all).await;
    for listener in listeners {
        let (heard, mut new) = (listener.take(), HashSet::new());
        for (number, at) in &heard {
            if new.insert(*number)
                && let Some(sent) = usize::try_from(*number).ok().and_then(|it| sent.get(it))
            {
                totals.messages.record(at.duration_since(*sent));
            }
        }
        let (heard, new) = (heard.len() as u64, new.len() as u64);
        totals.received += new;
        shared.stats.lost.fetch_add(MESSAGES.saturating_sub(new), Ordering::Relaxed);
        shared.stats.duplicated.fetch_add(heard - new, Ordering::Relaxed);
    }
    Ok(())
}
