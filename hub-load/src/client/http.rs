//! Server-Sent Events and long polling: a task receives, `POST` requests send.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
};

use super::{Pings, connector::Connector, negotiate::Endpoint, sse::EventParser};
use crate::LoadError;

/// Capacity of the channel of received chunks.
const CHANNEL_CAPACITY: usize = 16;
/// Maximum response body in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;

/// Pooled HTTP client, shared by all clients of a run.
pub(crate) type HttpClient = Client<Connector, Full<Bytes>>;

type Received = Result<Bytes, LoadError>;
type Posting = Pin<Box<dyn Future<Output = Result<(), LoadError>> + Send>>;

pub(crate) fn http_client(connector: Connector) -> HttpClient {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}

/// A connection over HTTP requests.
pub(crate) struct HttpLink {
    target: HttpTarget,
    received: mpsc::Receiver<Received>,
    receiving: AbortHandle,
    out: Vec<u8>,
    /// The pending `POST`. One at a time, to keep the order of messages.
    posting: Option<Posting>,
    /// Long polling: a `DELETE` request tells the server that the client has disconnected.
    is_polling: bool,
}

/// Target of the requests.
#[derive(Clone)]
struct HttpTarget {
    client: HttpClient,
    endpoint: Endpoint,
}

impl HttpLink {
    /// Opens Server-Sent Events.
    pub(crate) async fn events(client: HttpClient, endpoint: Endpoint) -> Result<Self, LoadError> {
        let target = HttpTarget { client, endpoint };
        let response = target.request_ok(Method::GET, "text/event-stream", Bytes::new()).await?;
        Ok(Self::new(target, false, |_, to| receive_events(response, to)))
    }

    /// Opens long polling. The first poll only starts the connection.
    pub(crate) async fn polls(client: HttpClient, endpoint: Endpoint) -> Result<Self, LoadError> {
        let target = HttpTarget { client, endpoint };
        let response = target.request_ok(Method::GET, "*/*", Bytes::new()).await?;
        read_body(response).await?;
        Ok(Self::new(target, true, receive_polls))
    }

    fn new<F: Future<Output = ()> + Send + 'static>(
        target: HttpTarget,
        is_polling: bool,
        receive: impl FnOnce(HttpTarget, mpsc::Sender<Received>) -> F,
    ) -> Self {
        let (to, received) = mpsc::channel(CHANNEL_CAPACITY);
        let task: JoinHandle<()> = tokio::spawn(receive(target.clone(), to));
        let receiving = task.abort_handle();
        Self { target, received, receiving, out: Vec::new(), posting: None, is_polling }
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
            return self.target.request_ok(Method::DELETE, "*/*", Bytes::new()).await.map(drop);
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
            if let Poll::Ready(Err(error)) = self.poll_post(context) {
                return Poll::Ready(Err(error));
            }
            let received = ready!(self.received.poll_recv(context));
            let closed = || Err(LoadError::Closed("the server closed the connection".to_owned()));
            Poll::Ready(received.unwrap_or_else(closed))
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
                read_body(target.request_ok(Method::POST, "*/*", body).await?).await.map(drop)
            }));
        }
    }
}

impl Drop for HttpLink {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

impl HttpTarget {
    async fn request(
        &self,
        method: Method,
        accept: &'static str,
        body: Bytes,
    ) -> Result<Response<Incoming>, LoadError> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.endpoint.url.clone())
            .header(ACCEPT, accept)
            .header(CONTENT_TYPE, "application/octet-stream");
        if let Some(token) = &self.endpoint.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request = request.body(Full::new(body)).map_err(LoadError::protocol)?;
        self.client.request(request).await.map_err(LoadError::connect)
    }

    /// Sends a request and returns an error for any status but 2xx.
    async fn request_ok(
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
        let response = self.request(method, accept, body).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = String::from_utf8_lossy(&read_body(response).await?).into_owned();
        Err(LoadError::Status { what, status: status.as_u16(), text })
    }
}

async fn read_body(response: Response<Incoming>) -> Result<Bytes, LoadError> {
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    Ok(body.map_err(LoadError::Connect)?.to_bytes())
}

/// Forwards the events of the response until it ends or the receiver is dropped.
async fn receive_events(response: Response<Incoming>, to: mpsc::Sender<Received>) {
    let (mut body, mut events) = (response.into_body(), EventParser::default());
    while let Some(frame) = body.frame().await {
        let received = match frame {
            Ok(frame) => Ok(frame.into_data().map(|bytes| events.read(&bytes)).unwrap_or_default()),
            Err(error) => Err(LoadError::connect(error)),
        };
        let is_empty = matches!(&received, Ok(bytes) if bytes.is_empty());
        if !is_empty && to.send(received).await.is_err() {
            return;
        }
    }
}

/// Polls until the server ends the connection or the receiver is dropped.
async fn receive_polls(target: HttpTarget, to: mpsc::Sender<Received>) {
    loop {
        let received = match target.request_ok(Method::GET, "*/*", Bytes::new()).await {
            // Dropping the sender ends the connection for the reader.
            Ok(response) if response.status() == StatusCode::NO_CONTENT => return,
            Ok(response) => read_body(response).await,
            Err(error) => Err(error),
        };
        let failed = received.is_err();
        let is_empty = matches!(&received, Ok(bytes) if bytes.is_empty());
        if !is_empty && to.send(received).await.is_err() || failed {
            return;
        }
    }
}
