//! Request bodies whose rest can be read after the response.

use std::{
    future::poll_fn,
    mem::take,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The most bytes that are read of the rest of a body.
const MAX_REST: usize = 16 * 1024 * 1024;

/// The body of a request to the service of a connection. What is left when it is dropped is read after the
/// response.
#[derive(Debug)]
pub struct ServedBody(Content);

#[derive(Debug)]
enum Content {
    /// A body that has arrived with its head. Empty after it was read.
    Whole(Bytes),
    Incoming {
        /// `None` only during the drop.
        incoming: Option<Incoming>,
        /// `None` if there is nothing left to read.
        unread: Option<Arc<Unread>>,
    },
}

impl ServedBody {
    pub(super) fn new(incoming: Incoming, unread: Option<Arc<Unread>>) -> Self {
        Self(Content::Incoming { incoming: Some(incoming), unread })
    }

    /// A body that has arrived.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole(bytes))
    }
}

impl From<Incoming> for ServedBody {
    /// The body of a connection of another server.
    fn from(incoming: Incoming) -> Self {
        Self::new(incoming, None)
    }
}

impl Body for ServedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Content::Whole(bytes) => {
                let bytes = take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Content::Incoming { incoming, unread } => {
                let Some(incoming) = incoming else { return Poll::Ready(None) };
                let frame = Pin::new(incoming).poll_frame(cx);
                if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
                    *unread = None;
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Incoming { incoming, .. } => {
                incoming.as_ref().is_none_or(Incoming::is_end_stream)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Incoming { incoming, .. } => {
                incoming.as_ref().map(Incoming::size_hint).unwrap_or_default()
            }
        }
    }
}

impl Drop for ServedBody {
    fn drop(&mut self) {
        if let Content::Incoming { incoming, unread } = &mut self.0
            && let (Some(unread), Some(rest)) = (unread.take(), incoming.take())
            && !rest.is_end_stream()
        {
            unread.left(rest);
        }
    }
}

/// The rest of the current request's body.
#[derive(Debug, Default)]
pub(super) struct Unread {
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct State {
    rest: Option<Incoming>,
    /// Whether the service has responded. Reading earlier could send `100 Continue` for a body that the
    /// service has dropped.
    answered: bool,
}

impl Unread {
    /// A request with a body begins. The rest of the previous one was read: requests are sequential.
    pub(super) fn begin(self: &Arc<Self>) -> Arc<Self> {
        *self.state.lock() = State::default();
        Arc::clone(self)
    }

    /// The service has responded.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        state.answered = true;
        if state.rest.is_some() {
            self.ready.notify_one();
        }
    }

    fn left(&self, rest: Incoming) {
        let mut state = self.state.lock();
        state.rest = Some(rest);
        if state.answered {
            self.ready.notify_one();
        }
    }

    /// Waits for a body that was left unread by a service that has responded.
    pub(super) async fn next(&self) -> Incoming {
        loop {
            if let Some(rest) = self.take() {
                return rest;
            }
            self.ready.notified().await;
        }
    }

    fn take(&self) -> Option<Incoming> {
        let mut state = self.state.lock();
        if state.answered { state.rest.take() } else { None }
    }
}

/// Reads a body to its end or to the limit, and drops it.
pub(super) async fn read_away(mut rest: Incoming) {
    let mut left = MAX_REST;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx)).await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        let Some(still_left) = left.checked_sub(read) else { return };
        left = still_left;
    }
}
