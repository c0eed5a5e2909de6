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
    timer: &mut Pin<Box<Sleep>>,
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
