//! A request and its response. The task that waits for the response reads and writes the socket itself: no other
//! task has to be woken.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use parking_lot::Mutex;
use tokio::runtime::{Handle, Id};

use super::{RequestError, Unanswered, pool::Host};

/// A connection that a request or the pool owns.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Reads and writes the socket when it is polled. `None` after the end of the connection.
    driver: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
    relay: Arc<Relay>,
    /// Wakes the relay.
    waker: Waker,
    pub(super) runtime: Id,
    is_kept: bool,
}

/// Wakes the task that uses the connection now, and no task while the connection is kept.
#[derive(Debug)]
struct Relay(Mutex<Waker>);

/// A failed exchange.
pub(super) struct Failure {
    error: hyper::Error,
    /// Whether the server certainly closed a kept connection before it read the request.
    is_unread: bool,
}

impl Connection {
    pub(super) fn new<I>(
        sender: SendRequest<Full<Bytes>>,
        driver: http1::Connection<I, Full<Bytes>>,
    ) -> Self
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let relay = Arc::new(Relay(Mutex::new(Waker::noop().clone())));
        Self {
            sender,
            driver: Some(Box::pin(driver)),
            waker: Waker::from(Arc::clone(&relay)),
            relay,
            runtime: Handle::current().id(),
            is_kept: false,
        }
    }

    /// Writes the request and reads the response as far as possible now.
    fn drive(&mut self, user: &Waker) {
        let mut relayed = self.relay.0.lock();
        if !relayed.will_wake(user) {
            relayed.clone_from(user);
        }
        drop(relayed);
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
        {
            // A response that is still expected fails now.
            self.driver = None;
        }
    }

    /// Keeps the connection if the next request can be written to it. Otherwise closes it.
    fn finish(mut self, host: &Host) {
        self.drive(Waker::noop());
        if self.driver.is_some() && self.sender.is_ready() {
            self.is_kept = true;
            host.keep(self);
        }
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = self.0.lock().clone();
        waker.wake();
    }
}

impl Failure {
    /// Whether the request can be sent again.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread
    }
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        Self::Interrupted(failure.error.into())
    }
}

/// Sends a request on a connection, and waits for the head of the response.
pub(super) async fn exchange(
    mut connection: Connection,
    host: &Arc<Host>,
    request: Request<Full<Bytes>>,
) -> Result<Response<ResponseBody>, Failure> {
    let is_kept = connection.is_kept;
    let response = {
        let mut response = pin!(connection.sender.try_send_request(request));
        poll_fn(|cx| {
            connection.drive(cx.waker());
            // Only `drive` completes the response, so no other waker is needed.
            response.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
    };
    match response {
        Ok(response) => {
            Ok(response.map(|body| ResponseBody::new(body, connection, Arc::clone(host))))
        }
        Err(failed) => {
            let is_unsent = failed.message().is_some();
            let error = failed.into_error();
            let is_unread = Unanswered::find(&error) == Some(Unanswered::Unread);
            Err(Failure { is_unread: is_kept && (is_unsent || is_unread), error })
        }
    }
}

/// The body of a response. Its end returns the connection to the pool; a body that is dropped before closes the
/// connection.
#[derive(derive_more::Debug)]
#[debug("ResponseBody")]
pub struct ResponseBody {
    incoming: Incoming,
    /// `None` after the end of the body.
    used: Option<(Connection, Arc<Host>)>,
}

impl ResponseBody {
    fn new(incoming: Incoming, connection: Connection, host: Arc<Host>) -> Self {
        let mut body = Self { incoming, used: Some((connection, host)) };
        body.finish_at_end();
        body
    }

    fn finish_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some((connection, host)) = self.used.take() {
            connection.finish(&host);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { incoming, used: Some((connection, _)) } = &mut *self else {
            return Poll::Ready(None);
        };
        // Only `drive` adds to the body, so no other waker is needed.
        let unwoken = &mut Context::from_waker(Waker::noop());
        let mut frame = Pin::new(&mut *incoming).poll_frame(unwoken);
        if frame.is_pending() {
            connection.drive(cx.waker());
            frame = Pin::new(&mut *incoming).poll_frame(unwoken);
        }
        match &frame {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) => self.finish_at_end(),
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Err(_))) => self.used = None,
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.used.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
