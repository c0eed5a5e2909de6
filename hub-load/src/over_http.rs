//! Server-Sent Events and long polling: one task receives, posts send.

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

use crate::{LoadError, client::Pings, connect::Connector, events::Events, negotiate::Door};

/// What may have been received and not read.
const RECEIVED: usize = 16;
/// The biggest answer to a poll.
const MAX_POLL: usize = 256 * 1024 * 1024;

/// Keeps connections, for all clients of a run.
pub(crate) type HttpClient = Client<Connector, Full<Bytes>>;

type Received = Result<Bytes, LoadError>;
type Posting = Pin<Box<dyn Future<Output = Result<(), LoadError>> + Send>>;

pub(crate) fn http_client(connector: Connector) -> HttpClient {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}

/// An open connection over HTTP requests.
pub(crate) struct HttpLink {
    route: Route,
    received: mpsc::Receiver<Received>,
    receiving: AbortHandle,
    out: Vec<u8>,
    /// Posts follow one another, or they would overtake each other.
    posting: Option<Posting>,
    /// Whether the server learns from a request of its own that the client is gone.
    is_polling: bool,
}

/// Where requests go.
#[derive(Clone)]
struct Route {
    client: HttpClient,
    door: Door,
}

impl HttpLink {
    /// Opens Server-Sent Events.
    pub(crate) async fn events(client: HttpClient, door: Door) -> Result<Self, LoadError> {
        let route = Route { client, door };
        let answer = route.expect_ok(Method::GET, "text/event-stream", Bytes::new()).await?;
        Ok(Self::new(route, false, |_, to| receive_events(answer, to)))
    }

    /// Opens long polling. The first poll only starts the connection.
    pub(crate) async fn polls(client: HttpClient, door: Door) -> Result<Self, LoadError> {
        let route = Route { client, door };
        let answer = route.expect_ok(Method::GET, "*/*", Bytes::new()).await?;
        whole(answer).await?;
        Ok(Self::new(route, true, receive_polls))
    }

    fn new<F: Future<Output = ()> + Send + 'static>(
        route: Route,
        is_polling: bool,
        receive: impl FnOnce(Route, mpsc::Sender<Received>) -> F,
    ) -> Self {
        let (to, received) = mpsc::channel(RECEIVED);
        let task: JoinHandle<()> = tokio::spawn(receive(route.clone(), to));
        let receiving = task.abort_handle();
        Self { route, received, receiving, out: Vec::new(), posting: None, is_polling }
    }

    pub(crate) fn queue(&mut self, payload: &[u8]) {
        self.out.extend_from_slice(payload);
    }

    /// Posts what is queued. Dropping the future loses nothing.
    pub(crate) async fn flush(&mut self) -> Result<(), LoadError> {
        poll_fn(|context| self.poll_post(context)).await
    }

    pub(crate) async fn close(&mut self) -> Result<(), LoadError> {
        if self.is_polling {
            return self.route.expect_ok(Method::DELETE, "*/*", Bytes::new()).await.map(drop);
        }
        self.flush().await
    }

    /// Waits for bytes and tells `each` about them, while posts go on. Dropping the future loses
    /// nothing.
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
            let hung_up = || Err(LoadError::Closed("the server hung up".to_owned()));
            Poll::Ready(received.unwrap_or_else(hung_up))
        });
        each(&received.await?);
        Ok(())
    }

    /// Ready when nothing is queued or on its way.
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
            let (route, body) = (self.route.clone(), Bytes::from(std::mem::take(&mut self.out)));
            self.posting = Some(Box::pin(async move {
                whole(route.expect_ok(Method::POST, "*/*", body).await?).await.map(drop)
            }));
        }
    }
}

impl Drop for HttpLink {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

impl Route {
    async fn ask(
        &self,
        method: Method,
        accept: &'static str,
        body: Bytes,
    ) -> Result<Response<Incoming>, LoadError> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.door.url.clone())
            .header(ACCEPT, accept)
            .header(CONTENT_TYPE, "application/octet-stream");
        if let Some(token) = &self.door.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request = request.body(Full::new(body)).map_err(LoadError::protocol)?;
        self.client.request(request).await.map_err(LoadError::connect)
    }

    /// An answer whose status is a success.
    async fn expect_ok(
        &self,
        method: Method,
        accept: &'static str,
        body: Bytes,
    ) -> Result<Response<Incoming>, LoadError> {
        let what = match method {
            Method::POST => "a post",
            Method::DELETE => "a goodbye",
            _ => self.door.transport.wire_name(),
        };
        let answer = self.ask(method, accept, body).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(&whole(answer).await?).into_owned();
        Err(LoadError::Status { what, status: status.as_u16(), text })
    }
}

async fn whole(answer: Response<Incoming>) -> Result<Bytes, LoadError> {
    let body = Limited::new(answer.into_body(), MAX_POLL).collect().await;
    Ok(body.map_err(LoadError::Connect)?.to_bytes())
}

/// Takes the events of the one long answer until nobody wants them any more.
async fn receive_events(answer: Response<Incoming>, to: mpsc::Sender<Received>) {
    let (mut body, mut events) = (answer.into_body(), Events::default());
    while let Some(frame) = body.frame().await {
        let received = match frame {
            Ok(frame) => Ok(frame.into_data().map(|bytes| events.read(&bytes)).unwrap_or_default()),
            Err(error) => Err(LoadError::connect(error)),
        };
        let nothing = matches!(&received, Ok(bytes) if bytes.is_empty());
        if !nothing && to.send(received).await.is_err() {
            return;
        }
    }
}

/// Polls until the server says that this is the end, or nobody wants more.
async fn receive_polls(route: Route, to: mpsc::Sender<Received>) {
    loop {
        let received = match route.expect_ok(Method::GET, "*/*", Bytes::new()).await {
            // The sender goes, which is the end.
            Ok(answer) if answer.status() == StatusCode::NO_CONTENT => return,
            Ok(answer) => whole(answer).await,
            Err(error) => Err(error),
        };
        let failed = received.is_err();
        let nothing = matches!(&received, Ok(bytes) if bytes.is_empty());
        if !nothing && to.send(received).await.is_err() || failed {
            return;
        }
    }
}
