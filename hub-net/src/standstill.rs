//! Timeouts for peers that do not count a standstill of this process.
//!
//! Under a debugger, after SIGSTOP (`docker pause`, Ctrl+Z) or on a machine without free processors, a process
//! stands still for seconds. Its timers then fire late, while the data of the peer is unread in the socket.

#[cfg(feature = "server")]
use std::sync::Arc;
use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

#[cfg(feature = "server")]
use parking_lot::Mutex;
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

/// The timers of hyper's timeouts, one value for each connection. After a standstill their time starts again.
///
/// hyper drops its timer after the head of each request and creates one for the next head. The timer of the runtime is
/// kept in between, so that a head changes its deadline, which takes no lock of the runtime.
#[cfg(feature = "server")]
#[derive(Debug, Default)]
pub struct PeerTimer {
    kept: Arc<Kept>,
    /// When the wait for the first head has begun, until its timer is created.
    since: Mutex<Option<Instant>>,
}

#[cfg(feature = "server")]
impl PeerTimer {
    /// The timers of a connection that waits for the first head since this time, or from its first timer on.
    #[must_use]
    pub fn since(since: Option<Instant>) -> Self {
        Self { kept: Arc::default(), since: Mutex::new(since) }
    }
}

/// The timer that no [`PeerSleep`] uses.
#[cfg(feature = "server")]
type Kept = Mutex<Option<Pin<Box<Sleep>>>>;

#[cfg(feature = "server")]
impl hyper::rt::Timer for PeerTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let passed = self.since.lock().take().map_or(Duration::ZERO, |since| since.elapsed());
        let duration = duration.saturating_sub(passed);
        let kept = self.kept.lock().take();
        let timer = match (kept, Instant::now().checked_add(duration)) {
            (Some(mut timer), Some(deadline)) => {
                timer.as_mut().reset(deadline);
                timer
            }
            _ => Box::pin(tokio::time::sleep(duration)),
        };
        Box::pin(PeerSleep { timer: Some(timer), time: duration, kept: Arc::clone(&self.kept) })
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<PeerSleep>() {
            Some(sleep) => sleep.get_mut().reset(deadline.into()),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

#[cfg(feature = "server")]
struct PeerSleep {
    /// `None` only while it is dropped.
    timer: Option<Pin<Box<Sleep>>>,
    time: Duration,
    kept: Arc<Kept>,
}

#[cfg(feature = "server")]
impl PeerSleep {
    fn reset(&mut self, deadline: Instant) {
        self.time = deadline.saturating_duration_since(Instant::now());
        self.timer.iter_mut().for_each(|timer| timer.as_mut().reset(deadline));
    }
}

#[cfg(feature = "server")]
impl Future for PeerSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time;
        match &mut self.timer {
            Some(timer) => poll_timeout(timer.as_mut(), time, context),
            None => Poll::Ready(()),
        }
    }
}

#[cfg(feature = "server")]
impl Drop for PeerSleep {
    fn drop(&mut self) {
        *self.kept.lock() = self.timer.take();
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

        let timers = PeerTimer::default();
        let mut timer = timers.sleep_until(timers.now() + 2 * TIME);
        timers.reset(&mut timer, timers.now() + TIME);
        let waiting = tokio::spawn(async move {
            timer.await;
            Instant::now()
        });
        yield_now().await;

        advance(3 * TIME).await;
        let awake = Instant::now();

        assert_eq!(waiting.await.unwrap() - awake, TIME);
    }

    /// The deadline of the kept timer is passed, or before or after the one of the next head.
    #[cfg(feature = "server")]
    #[tokio::test(start_paused = true)]
    async fn each_timer_of_hyper_has_its_own_deadline() {
        use hyper::rt::Timer as _;

        let timers = PeerTimer::default();

        for (time, pause) in [(TIME, 2 * TIME), (2 * TIME, TIME), (TIME / 2, TIME), (TIME, TIME)] {
            let start = Instant::now();
            timers.sleep(time).await;
            assert_eq!(start.elapsed(), time);

            let mut unused = timers.sleep(time);
            assert!(timeout(time / 2, unused.as_mut()).await.is_err());
            drop(unused);
            assert!(timers.kept.lock().is_some());
            sleep(pause).await;
        }
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
