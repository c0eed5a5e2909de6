//! Keep-alive. The server sends pings on a timer. The client timeout applies only after the client's first
//! ping.

use std::{
    convert::Infallible,
    future::{Future as _, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, Sleep, interval_at, sleep_until};

use super::{
    Connection,
    ending::Ending,
    link::{Incoming, Source},
    rarely_ready::RarelyReady,
};
use crate::delivery::outbox::PushOutcome;

/// Sends pings at a fixed interval, independent of other messages. Ends when the outbox is full.
pub(super) async fn ping(connection: &Arc<Connection>) -> Ending {
    match tick(connection).await {
        Ok(never) => match never {},
        Err(ending) => ending,
    }
}

async fn tick(connection: &Arc<Connection>) -> Result<Infallible, Ending> {
    let every = connection.shared.limits.keep_alive_interval;
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Pending messages serve as keep-alive too.
        if !connection.outbox.is_empty() {
            continue;
        }
        if connection.outbox.push(connection.frame(connection.protocol().ping()))
            == PushOutcome::Full
        {
            return Err(Ending::slow_client());
        }
    }
}

/// Maximum time without data from the client.
pub(super) struct ClientTimeout {
    allowed: Duration,
    armed: bool,
    /// One timer for all reads. A read does not reset the timer. When the timer fires before the current
    /// deadline, it is set to this deadline.
    alarm: Option<RarelyReady<Pin<Box<Sleep>>>>,
}

impl ClientTimeout {
    pub(super) fn new(allowed: Duration) -> Self {
        Self { allowed, armed: false, alarm: None }
    }

    /// Starts the timeout after the client's first ping: a client that never pings has no keep-alive.
    pub(super) fn arm(&mut self) {
        self.armed = true;
    }

    /// The next event, or `None` when the client timed out. Only the time during this call counts, not the
    /// time in which the service does not read.
    pub(super) async fn receive(
        &mut self,
        source: &mut impl Source,
    ) -> Option<io::Result<Incoming>> {
        if !self.armed {
            return Some(source.receive().await);
        }
        let end = Instant::now() + self.allowed;
        let alarm = self.alarm.get_or_insert_with(|| RarelyReady::new(Box::pin(sleep_until(end))));
        let mut receiving = pin!(source.receive());
        poll_fn(|context| {
            if let Poll::Ready(received) = receiving.as_mut().poll(context) {
                return Poll::Ready(Some(received));
            }
            while Pin::new(&mut *alarm).poll(context).is_ready() {
                if Instant::now() >= end {
                    return Poll::Ready(None);
                }
                alarm.inner().as_mut().reset(end);
            }
            Poll::Pending
        })
        .await
    }

    pub(super) fn detail(&self) -> String {
        format!("the client has sent nothing for {} s", self.allowed.as_secs())
    }
}
