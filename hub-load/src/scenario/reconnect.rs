//! Reconnect storms: all clients are disconnected and reconnect at once.

use std::{sync::Arc, time::Instant};

use tokio::task::JoinSet;

use super::{Shared, fleet::Fleet, recorder::Recorder};
use crate::{
    LoadError, Report,
    client::dialer::Dialer,
    measure::{progress::Progress, report::grouped},
};

/// Number of messages to all clients after each storm. Each client must receive each message once.
const MESSAGES: usize = 10;

/// Connects all clients, runs the storms and fills the report.
pub(crate) async fn run(shared: &Arc<Shared>, report: &mut Report) -> Result<(), LoadError> {
    let (args, progress) = (&shared.args, Progress::new(&shared.args));
    let mut fleet = Fleet::connect(shared, report).await?;
    let paths = vec![":send".to_owned(); MESSAGES];
    for round in 1..=args.rounds {
        reconnect_all(&mut fleet).await?;
        let count = grouped(fleet.recorders.len() as f64);
        progress.show(&format!("storm {round} of {}: {count} reconnected", args.rounds));
        fleet.send(&paths, |_, _| true).await?;
    }
    fleet.finish(report);
    Ok(())
}

/// Disconnects all clients and reconnects them. A client that cannot reconnect is removed.
async fn reconnect_all(fleet: &mut Fleet<'_>) -> Result<(), LoadError> {
    let shared = fleet.shared;
    // A new dialer has no pooled connections, so each client opens its own connections, as in a real storm.
    let dialer = Arc::new(Dialer::new(&shared.args)?);
    let recorders = std::mem::take(&mut fleet.recorders);
    let count = recorders.len();
    Recorder::disconnect(recorders).await;
    let disconnected = Instant::now();
    let mut connecting = JoinSet::new();
    for _ in 0..count {
        let dialer = Arc::clone(&dialer);
        connecting.spawn(async move { (dialer.client().await, disconnected.elapsed()) });
    }
    while let Some(joined) = connecting.join_next().await {
        let (client, took) = joined.map_err(LoadError::protocol)?;
        match client {
            Ok(client) => {
                fleet.operations.record(took);
                fleet.recorders.push(Recorder::start(client, shared));
            }
            Err(error) => shared.stats.error(error),
        }
    }
    fleet.duration += disconnected.elapsed();
    if fleet.recorders.is_empty() {
        return Err(LoadError::Closed("no client reconnected".to_owned()));
    }
    Ok(())
}
