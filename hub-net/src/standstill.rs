//! Timeouts for peers that do not count a standstill of this process.
//!
//! Under a debugger, after SIGSTOP (`docker pause`, Ctrl+Z) or on a machine without free processors, a process
//! stands still for seconds. Its timers then fire late, while the data of the peer is unread in the socket.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    task::yield_now,
    time::{Instant, Sleep, error::Elapsed, timeout_at},
};

/// A timer that fires later than this shows a standstill.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// Whether a timer for `deadline` that fires now fires so late that the process has stood still. The peer then
/// gets the whole time once more.
#[must_use]
pub fn fired_late(deadline: Instant) -> bool {
    deadline.elapsed() > MAX_DELAY
}

/// Ready when the timer, which was set to `time`, has fired. After a standstill the time starts again. The caller
/// has polled the socket before.
pub fn poll_timeout(
    mut timer: Pin<&mut Sleep>,
    time: Duration,
    context: &mut Context<'_>,
) -> Poll<()> {
    loop {
        ready!(timer.as_mut().poll(context));
        if !fired_late(timer.deadline()) {
            return Poll::Ready(());
        }
        timer.as_mut().reset(Instant::now() + time);
    }
}

/// Like [`tokio::time::timeout`], for a future that waits for a peer. After a standstill the time starts again.
/// Before the timeout elapses, data that has arrived is read.
///
/// # Errors
/// When the time has passed.
pub async fn timeout<F: Future>(time: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    loop {
        // Without a representable deadline there is none.
        let Some(deadline) = Instant::now().checked_add(time) else { return Ok(future.await) };
        if let Ok(output) = timeout_at(deadline, future.as_mut()).await {
            return Ok(output);
        }
        if !fired_late(deadline) {
            // The runtime reads the sockets before it runs this task again.
            yield_now().await;
            return timeout_at(deadline, future).await;
        }
    }
}

/// The timers of hyper's timeouts. After a standstill their time starts again.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug)]
pub struct PeerTimer;

#[cfg(feature = "server")]
impl hyper::rt::Timer for PeerTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(PeerSleep { timer: tokio::time::sleep(duration), time: duration })
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<PeerSleep>() {
            Some(sleep) => sleep.reset(deadline.into()),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

#[cfg(feature = "server")]
pin_project_lite::pin_project! {
    struct PeerSleep {
        #[pin]
        timer: Sleep,
        time: Duration,
    }
}

#[cfg(feature = "server")]
impl PeerSleep {
    fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.project();
        *this.time = deadline.saturating_duration_since(Instant::now());
        this.timer.reset(deadline);
    }
}

#[cfg(feature = "server")]
impl Future for PeerSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        poll_timeout(this.timer, *this.time, context)
    }
}

#[cfg(feature = "server")]
impl hyper::rt::Sleep for PeerSleep {}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::{
        sync::oneshot,
        time::{advance, sleep},
    };

    use super::*;

    const TIME: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_has_the_time_and_no_more() {
        let start = Instant::now();

        assert!(timeout(TIME, pending::<()>()).await.is_err());

        assert_eq!(start.elapsed(), TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_standstill_gives_the_peer_the_whole_time_again() {
        let (sender, receiver) = oneshot::channel();
        let waiting = tokio::spawn(timeout(TIME, receiver));
        yield_now().await;

        advance(3 * TIME).await;
        sleep(TIME / 2).await;
        sender.send("read late").unwrap();

        assert_eq!(waiting.await.unwrap().unwrap().unwrap(), "read late");
    }

    #[cfg(feature = "server")]
    #[tokio::test(start_paused = true)]
    async fn the_timers_of_hyper_start_again_after_a_standstill() {
        use hyper::rt::Timer as _;

        let mut timer = PeerTimer.sleep_until(PeerTimer.now() + 2 * TIME);
        PeerTimer.reset(&mut timer, PeerTimer.now() + TIME);
        let waiting = tokio::spawn(async move {
            timer.await;
            Instant::now()
        });
        yield_now().await;

        advance(3 * TIME).await;
        let awake = Instant::now();

        assert_eq!(waiting.await.unwrap() - awake, TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn data_that_arrives_with_the_timer_is_read() {
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            sleep(TIME).await;
            sender.send("just in time")
        });

        assert_eq!(timeout(TIME, receiver).await.unwrap().unwrap(), "just in time");
    }
}
