//! Server-Sent Events and long polling: a task receives messages, and `POST` requests send messages.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Pings,
    negotiate::Endpoint,
    request::{HttpClient, read_body, send},
    sse::EventParser,
};
use crate::LoadError;

/// Capacity of the channel of received chunks.
const CHANNEL_CAPACITY: usize = 16;

type Received = Result<Bytes, LoadError>;
type Posting = Pin<Box<dyn Future<Output = Result<(), LoadError>> + Send>>;

/// A connection over HTTP requests.
pub(crate) struct HttpLink {
    target: HttpTarget,
    received: mpsc::Receiver<Received>,
    _receiving: AbortOnDropHandle<()>,
    out: Vec<u8>,
    /// The pending `POST` request. Only one request is pending at a time, so that messages stay in order.
    posting: Option<Posting>,
    /// Whether the transport is long polling, which ends the connection with a `DELETE` request.
    is_polling: bool,
}

/// Target of the requests.
#[derive(Clone)]
struct HttpTarget {
    client: HttpClient,
    endpoint: Endpoint,
}

impl HttpLink {
    /// Opens a connection over Server-Sent Events.
    pub(crate) async fn events(client: HttpClient, endpoint: Endpoint) -> Result<Self, LoadError> {
        let target = HttpTarget { client, endpoint };
        let response = target.request(Method::GET, "text/event-stream", Bytes::new()).await?;
        let (body, mut events) = (response.into_body(), EventParser::default());
        let received = body.into_data_stream().map_ok(move |bytes| events.read(&bytes));
        Ok(Self::new(target, false, received.map_err(LoadError::connect)))
    }

    /// Opens a connection over long polling. The first poll only starts the connection.
    pub(crate) async fn polls(client: HttpClient, endpoint: Endpoint) -> Result<Self, LoadError> {
        let target = HttpTarget { client, endpoint };
        read_body(target.request(Method::GET, "*/*", Bytes::new()).await?).await?;
        let received = stream::try_unfold(target.clone(), |target| async move {
            let response = target.request(Method::GET, "*/*", Bytes::new()).await?;
            if response.status() == StatusCode::NO_CONTENT {
                return Ok(None);
            }
            Ok(Some((read_body(response).await?, target)))
        });
        Ok(Self::new(target, true, received))
    }

    fn new(
        target: HttpTarget,
        is_polling: bool,
        chunks: impl Stream<Item = Received> + Send + 'static,
    ) -> Self {
        let (to, received) = mpsc::channel(CHANNEL_CAPACITY);
        let task = tokio::spawn(async move {
            let mut chunks = pin!(chunks);
            // Dropping the sender ends the connection for the reader.
            while let Some(chunk) = chunks.next().await {
                if to.send(chunk).await.is_err() {
                    return;
                }
            }
        });
        let _receiving = AbortOnDropHandle::new(task);
        Self { target, received, _receiving, out: Vec::new(), posting: None, is_polling }
    }

    pub(crate) fn queue(&mut self, payload: &[u8]) {
        self.out.extend_from_slice(payload);
    }

    /// Posts the queued messages. Cancel safe.
    pub(crate) async fn flush(&mut self) -> Result<(), LoadError> {
        poll_fn(|context| self.poll_post(context)).await
    }

    pub(crate) async fn close(&mut self) -> Result<(), LoadError> {
        if self.is_polling {
            return self.target.request(Method::DELETE, "*/*", Bytes::new()).await.map(drop);
        }
        self.flush().await
    }

    /// Waits for bytes and calls `each` with them. Sends pending posts meanwhile. Cancel safe.
    pub(crate) async fn read(
        &mut self,
        pings: &mut Pings,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), LoadError> {
        let received = poll_fn(|context| {
            while let Some(ping) = pings.due(context) {
                self.queue(ping);
            }
            if let Poll::Ready(posted) = self.poll_post(context) {
                posted?;
            }
            let received = ready!(self.received.poll_recv(context));
            Poll::Ready(received.unwrap_or_else(|| Err(LoadError::closed())))
        });
        each(&received.await?);
        Ok(())
    }

    /// Ready when nothing is queued or pending.
    fn poll_post(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LoadError>> {
        loop {
            if let Some(posting) = &mut self.posting {
                let posted = ready!(posting.as_mut().poll(context));
                self.posting = None;
                posted?;
            }
            if self.out.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let (target, body) = (self.target.clone(), Bytes::from(std::mem::take(&mut self.out)));
            self.posting = Some(Box::pin(async move {
                read_body(target.request(Method::POST, "*/*", body).await?).await.map(drop)
            }));
        }
    }
}

impl HttpTarget {
    async fn request(
        &self,
        method: Method,
        accept: &'static str,
        body: Bytes,
    ) -> Result<Response<Incoming>, LoadError> {
        let what = match method {
            Method::POST => "a POST request",
            Method::DELETE => "a DELETE request",
            _ => self.endpoint.transport.wire_name(),
        };
        let request = Request::builder()
            .method(method)
            .uri(self.endpoint.url.clone())
            .header(ACCEPT, accept)
            .header(CONTENT_TYPE, "application/octet-stream");
        send(&self.client, what, request, self.endpoint.token.as_ref(), body).await
    }
}
