//! Long polling (`TransportProtocols.md`, Long Polling). Each GET waits for messages and receives all
//! pending messages. The client sends messages in POST requests. Pings are not needed: polls show that the
//! client is connected.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, EXPIRES, PRAGMA},
};
use hub_net::standstill::fired_late;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::inbox::Inbox;
use crate::{
    body::{self, Body},
    connection::link::{Incoming, Source},
    delivery::{batch::Batch, outbox::Outbox, sink::Sink},
};

/// The result of a poll that did not time out.
#[derive(Debug)]
enum PollResponse {
    Messages(Bytes),
    /// Another poll has replaced this poll, or the connection has ended.
    NoContent,
}

/// The polls of one connection.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    pub(super) inbox: Arc<Inbox>,
    state: Mutex<PollState>,
    /// Notified when a poll begins or ends; wakes [`Polls::silent`].
    watched: Notify,
    /// Notified when a poll begins; wakes the writer.
    wanted: Notify,
    /// Cancelled when the client has closed the connection or stopped polling.
    left: CancellationToken,
}

#[derive(Debug)]
struct PollState {
    /// The waiting poll and its number.
    open: Option<(u64, oneshot::Sender<PollResponse>)>,
    polls: u64,
    /// When the last poll ended.
    idle_since: Instant,
    /// Whether the connection has ended.
    is_over: bool,
    /// Whether the client has received the response that ends the connection.
    is_told: bool,
}

impl Default for PollState {
    fn default() -> Self {
        let idle_since = Instant::now();
        Self { open: None, polls: 0, idle_since, is_over: false, is_told: false }
    }
}

/// A waiting poll; dropping it ends the poll, for example when its client disconnects.
struct PendingPoll<'a> {
    polls: &'a Polls,
    number: u64,
}

impl Polls {
    pub(super) fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox, ..Self::default() }
    }

    /// Waits up to `hold` for messages. Ends another waiting poll with 204.
    pub(super) async fn poll(&self, hold: Duration) -> Response<Body> {
        let (sender, mut answer) = oneshot::channel();
        let Some(waiting) = self.begin(sender) else { return no_content() };
        let in_time = timeout(hold, &mut answer).await;
        // After the drop this poll can receive no messages, so no message is lost after `try_recv`.
        drop(waiting);
        let answer = match in_time {
            Ok(answer) => answer.ok(),
            Err(_) => answer.try_recv().ok(),
        };
        match answer {
            Some(PollResponse::Messages(bytes)) => headed(body::octets(StatusCode::OK, bytes)),
            Some(PollResponse::NoContent) => no_content(),
            None => headed(body::plain(StatusCode::OK, "")),
        }
    }

    fn begin(&self, sender: oneshot::Sender<PollResponse>) -> Option<PendingPoll<'_>> {
        let mut state = self.state.lock();
        if state.is_over {
            state.is_told = true;
            return None;
        }
        state.polls += 1;
        let number = state.polls;
        let overtaken = state.open.replace((number, sender));
        drop(state);
        if let Some((_, overtaken)) = overtaken {
            // An error means that the poll has just ended.
            let _ = overtaken.send(PollResponse::NoContent);
        }
        self.watched.notify_one();
        self.wanted.notify_one();
        Some(PendingPoll { polls: self, number })
    }

    /// Whether the client needs no further notice of the end.
    pub(super) fn is_told(&self) -> bool {
        self.state.lock().is_told
    }

    /// The client closes the connection.
    pub(super) fn leave(&self) {
        self.left.cancel();
    }

    /// The client has stopped polling. A later poll gets 404, because 204 would mean a clean close.
    fn give_up(&self) {
        self.state.lock().is_told = true;
        self.left.cancel();
    }

    /// Waits until `gap` has passed without an open poll. After a standstill of the process the time starts
    /// again: polls may be unread in the sockets.
    async fn silent(&self, gap: Duration) {
        loop {
            let silent_at = {
                let mut state = self.state.lock();
                if state.open.is_none() && fired_late(state.idle_since + gap) {
                    state.idle_since = Instant::now();
                }
                state.open.is_none().then(|| state.idle_since + gap)
            };
            match silent_at {
                Some(moment) if moment <= Instant::now() => return,
                Some(moment) => tokio::select! {
                    () = sleep_until(moment) => {}
                    () = self.watched.notified() => {}
                },
                None => self.watched.notified().await,
            }
        }
    }

    /// Waits until a poll is open.
    async fn ready(&self) -> io::Result<()> {
        while self.state.lock().open.is_none() {
            tokio::select! {
                () = self.wanted.notified() => {}
                () = self.left.cancelled() => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
        Ok(())
    }

    /// Passes the bytes to the open poll, or returns them if no poll is open.
    fn hand_over(&self, bytes: Bytes) -> Result<(), Bytes> {
        let mut state = self.state.lock();
        let Some((_, poll)) = state.open.take() else { return Err(bytes) };
        match poll.send(PollResponse::Messages(bytes)) {
            Ok(()) => {
                state.idle_since = Instant::now();
                drop(state);
                self.watched.notify_one();
                Ok(())
            }
            Err(PollResponse::Messages(bytes)) => Err(bytes),
            Err(PollResponse::NoContent) => Ok(()),
        }
    }

    fn end(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        if let Some((_, poll)) = state.open.take() {
            state.is_told = poll.send(PollResponse::NoContent).is_ok();
        }
    }
}

impl Drop for PendingPoll<'_> {
    fn drop(&mut self) {
        let mut state = self.polls.state.lock();
        if state.open.as_ref().is_some_and(|(number, _)| *number == self.number) {
            state.open = None;
            state.idle_since = Instant::now();
        }
        drop(state);
        self.polls.watched.notify_one();
    }
}

/// The response to the first poll, which only opens the connection.
pub(super) fn started() -> Response<Body> {
    headed(body::octets(StatusCode::OK, ""))
}

/// The response to a poll of a connection that has ended.
pub(super) fn no_content() -> Response<Body> {
    headed(body::plain(StatusCode::NO_CONTENT, ""))
}

/// Forbids caching.
fn headed(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(PRAGMA, body::NO_CACHE);
    headers.insert(EXPIRES, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    response
}

/// Receives the posts of the client; fails when the client has not polled for `gap`.
pub(super) struct PollSource {
    pub(super) polls: Arc<Polls>,
    pub(super) gap: Duration,
}

impl Source for PollSource {
    const LINGERS: bool = false;

    async fn receive(&mut self) -> io::Result<Incoming> {
        tokio::select! {
            biased;
            posted = self.polls.inbox.next() => posted.map(|bytes| Incoming::Data(bytes.into())).map_err(io::Error::other),
            () = self.polls.left.cancelled() => Ok(Incoming::Closed),
            () = self.polls.silent(self.gap) => {
                self.polls.give_up();
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

/// Sends all pending messages in the response to each poll.
pub(super) struct PollSink(pub(super) Arc<Polls>);

impl Sink for PollSink {
    async fn drain(&mut self, outbox: &Outbox) -> io::Result<()> {
        let mut batch = Batch::default();
        while outbox.waits().await {
            self.0.ready().await?;
            outbox.take_all(&mut batch);
            let (messages, bytes) = (batch.len(), batch.bytes());
            self.write(&mut batch).await?;
            outbox.written(messages, bytes);
        }
        self.finish().await
    }

    async fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        let mut bytes = joined(batch);
        loop {
            self.0.ready().await?;
            match self.0.hand_over(bytes) {
                Ok(()) => return Ok(()),
                Err(back) => bytes = back,
            }
        }
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.0.end();
        Ok(())
    }

    async fn shut(&mut self) {
        self.0.end();
    }
}

fn joined(batch: &mut Batch) -> Bytes {
    if batch.len() == 1
        && let Some(only) = batch.pop_front()
    {
        return only.into_payload();
    }
    let mut bytes = BytesMut::new();
    for frame in batch.drain() {
        bytes.extend_from_slice(&frame.into_payload());
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_poll_has_its_whole_time_again_after_a_standstill() {
        let polls = Polls::default();
        let start = Instant::now();
        polls.silent(GAP).await;
        assert_eq!(start.elapsed(), GAP);

        let polls = Polls::default();
        let standstill = async {
            tokio::task::yield_now().await;
            tokio::time::advance(3 * GAP).await;
        };
        let start = Instant::now();
        tokio::join!(polls.silent(GAP), standstill);

        assert_eq!(start.elapsed(), 4 * GAP);
    }
}
