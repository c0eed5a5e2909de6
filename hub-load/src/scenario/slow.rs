//! Clients that send pings and never read, with small receive buffers.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use super::Shared;
use crate::client::{Client, PING_INTERVAL};

/// Stays connected until the run ends. The server is expected to close the connection, so a closed
/// connection is not an error.
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
}
