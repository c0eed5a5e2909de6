//! Signs of life: ours by the clock, the client's by a time-out once it has sent a ping.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hub_core::protocol::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{Connection, Ending, Pushed};
use crate::transport::{Incoming, Source, websocket::frame::text_frame};

/// The shortest and the longest time between two pings that a timer takes, whatever was asked for.
const OFTEN: Duration = Duration::from_millis(1);
const SELDOM: Duration = Duration::from_hours(24 * 365);

/// Sends pings, by the clock and not by what else was sent. Ends when the outbox takes no more.
pub(super) async fn ping(connection: &Arc<Connection>) -> Ending {
    match tick(connection).await {
        Ok(never) => match never {},
        Err(ending) => ending,
    }
}

async fn tick(connection: &Arc<Connection>) -> Result<Infallible, Ending> {
    let every = connection.state.limits.keep_alive.clamp(OFTEN, SELDOM);
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Where messages wait, they say as much.
        if !connection.outbox.is_empty() {
            continue;
        }
        if connection.outbox.push(text_frame(json::PING)) == Pushed::Full {
            return Err(Ending::slow_client());
        }
    }
}

/// How long the client may be silent.
#[derive(Debug)]
pub(super) struct Silence {
    allowed: Duration,
    armed: bool,
}

impl Silence {
    pub(super) fn new(allowed: Duration) -> Self {
        Self { allowed, armed: false }
    }

    /// The client pings, so it will go on doing so.
    pub(super) fn arm(&mut self) {
        self.armed = true;
    }

    /// The next bytes, or `None` when the client was silent for too long. The time runs only
    /// while this waits, so never while the service itself has stopped reading.
    pub(super) async fn receive(&self, source: &mut impl Source) -> Option<io::Result<Incoming>> {
        if self.armed {
            return timeout(self.allowed, source.receive()).await.ok();
        }
        Some(source.receive().await)
    }

    pub(super) fn detail(&self) -> String {
        format!("the client has sent nothing for {} s", self.allowed.as_secs())
    }
}
