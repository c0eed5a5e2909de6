//! Clients that send their pings and never read, on sockets with small buffers.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    Shared,
    client::{Client, PING_EVERY},
};

/// The receive buffer of a slow client, in bytes. Systems round it up.
pub(crate) const RECEIVE_BUFFER: usize = 4096;

/// Stays until the run is done. That the server closes it is what it is for, and no error.
pub(crate) async fn run(mut client: Client, shared: Arc<Shared>) {
    let mut ticks = interval(PING_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pinging = async {
        loop {
            ticks.tick().await;
            client.queue(client.protocol().ping());
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
