//! Clients that send pings and do not read before the end of the run, with small receive buffers.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Shared;
use crate::client::{Client, PING_INTERVAL};

/// Time without data after which a connection counts as open, at the end of the run.
const OPEN_AFTER: Duration = Duration::from_secs(1);
/// Maximum time to read what a closed connection still contains.
const MAX_READING: Duration = Duration::from_secs(30);

/// Stays connected until the run ends, then reads until the end of the connection. The server is
/// expected to close the connection, so a closed connection is not an error. It is counted.
pub(crate) async fn run(mut client: Client, shared: Arc<Shared>) {
    let mut ticks = interval(PING_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pinging = async {
        loop {
            ticks.tick().await;
            client.queue(client.protocol.ping());
            if client.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = shared.done.cancelled() => {}
        () = async { pinging.await; shared.done.cancelled().await } => {}
    }
    // The end of a connection comes after the data that the client has not read.
    let reading = async {
        while let Ok(read) = timeout(OPEN_AFTER, client.read(|_| {})).await {
            if read.is_err() {
                shared.stats.slow_closed.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
    };
    let _ = timeout(MAX_READING, reading).await;
}
