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

use futures_util::FutureExt as _;
use hub_net::standstill::fired_late;
use tokio::{
    task::yield_now,
    time::{Instant, MissedTickBehavior, Sleep, interval_at, sleep_until},
};

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
        let mut end = Instant::now() + self.allowed;
        let alarm = self.alarm.get_or_insert_with(|| RarelyReady::new(Box::pin(sleep_until(end))));
        let mut receiving = pin!(source.receive());
        let received = poll_fn(|context| {
            if let Poll::Ready(received) = receiving.as_mut().poll(context) {
                return Poll::Ready(Some(received));
            }
            while Pin::new(&mut *alarm).poll(context).is_ready() {
                let now = Instant::now();
                if fired_late(alarm.inner().deadline()) {
                    // What the client has sent meanwhile is unread in the socket.
                    end = now + self.allowed;
                }
                if now >= end {
                    return Poll::Ready(None);
                }
                alarm.inner().as_mut().reset(end);
            }
            Poll::Pending
        })
        .await;
        if received.is_some() {
            return received;
        }
        // The runtime reads the sockets before it runs this task again.
        yield_now().await;
        receiving.now_or_never()
    }

    pub(super) fn detail(&self) -> String {
        format!("the client has sent nothing for {} s", self.allowed.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use bytes::Bytes;
    use tokio::{
        sync::mpsc,
        time::{advance, sleep},
    };

    use super::*;

    const ALLOWED: Duration = Duration::from_secs(30);

    struct Socket(mpsc::Receiver<Bytes>);

    impl Source for Socket {
        const LINGERS: bool = false;

        async fn receive(&mut self) -> io::Result<Incoming> {
            match self.0.recv().await {
                Some(bytes) => Ok(Incoming::Data(bytes)),
                None => pending().await,
            }
        }
    }

    fn armed() -> (ClientTimeout, mpsc::Sender<Bytes>, Socket) {
        let mut timeout = ClientTimeout::new(ALLOWED);
        timeout.arm();
        let (sender, receiver) = mpsc::channel(1);
        (timeout, sender, Socket(receiver))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_closed_after_its_time() {
        let (mut timeout, _sender, mut socket) = armed();
        let start = Instant::now();

        assert!(timeout.receive(&mut socket).await.is_none());

        assert_eq!(start.elapsed(), ALLOWED);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_standstill_a_client_has_its_whole_time_again() {
        let (mut timeout, sender, mut socket) = armed();
        let sending = async {
            yield_now().await;
            advance(2 * ALLOWED).await;
            sleep(ALLOWED / 2).await;
            sender.send(Bytes::from_static(b"ping")).await.unwrap();
        };

        let (received, ()) = tokio::join!(timeout.receive(&mut socket), sending);
        assert!(matches!(received, Some(Ok(Incoming::Data(_)))));
        let start = Instant::now();
        assert!(timeout.receive(&mut socket).await.is_none());

        assert_eq!(start.elapsed(), ALLOWED);
    }
}
