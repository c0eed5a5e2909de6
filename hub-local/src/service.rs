//! The tower service for clients, REST callers and health checks.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, header::ALLOW, request::Parts,
};
use hub_core::{Payload, Secret, outbound::Recipients, secret_rule::Reach};
use hub_net::{BoxError, body::UnreadBody, host, serve_error::ServeError};
use tokio::net::TcpListener;

use crate::{
    access::HostCheck,
    body::{self, Body},
    builder::LocalServiceBuilder,
    inspect::Inspection,
    inspector, rest, serve,
    state::State,
    transport::{
        memory::MemoryConnection,
        routes::{self, ClientRoute},
        server_connection,
    },
};

/// A SignalR service in serverless mode.
///
/// Clones are handles of the same service. Dropping the last handle closes every client.
///
/// The service implements `tower_service::Service`: mount it in an HTTP server, call it in process, or use
/// [`serve`](Self::serve). WebSocket clients need a server that supports HTTP upgrades, such as hyper's.
///
/// ```no_run
/// # async fn example() -> Result<(), hub_local::ServeError> {
/// use hub_local::{HttpUpstream, LocalService};
///
/// let upstream = HttpUpstream::new("http://127.0.0.1:7071/runtime/webhooks/signalr").unwrap();
/// let service = LocalService::builder().upstream(upstream).build();
/// let listener = hub_local::listen(([127, 0, 0, 1], 8888).into())?;
/// service.serve(listener).await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LocalService {
    last: Arc<dyn Handle>,
}

/// Closes the service when its last handle is dropped.
#[derive(Debug)]
struct LastHandle(Arc<State>);

/// The state behind a trait object: otherwise the compiler proves for each future of an app that contains the
/// service that all its parts are `Send` and `Sync`, which takes seconds.
trait Handle: fmt::Debug + Send + Sync {
    fn state(&self) -> &Arc<State>;
}

impl Handle for LastHandle {
    fn state(&self) -> &Arc<State> {
        &self.0
    }
}

impl Drop for LastHandle {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Refusal of an in-memory client, with the status and text that a client with a socket would receive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {text}")]
pub struct ConnectError {
    /// HTTP status.
    pub status: StatusCode,
    /// The text for the client.
    pub text: String,
}

/// Counters of a service at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Number of connected clients.
    pub connections: usize,
    /// Number of clients closed as slow since the start.
    pub slow_clients: u64,
    /// Number of clients with pending messages, including messages that are being written.
    pub waiting_clients: usize,
    /// Size of the pending messages in bytes. A broadcast counts once per receiver.
    pub waiting_bytes: u64,
}

impl LocalService {
    /// Returns a builder with default settings.
    pub fn builder() -> LocalServiceBuilder {
        LocalServiceBuilder::default()
    }

    pub(crate) fn new(state: State) -> Self {
        Self { last: Arc::new(LastHandle(Arc::new(state))) }
    }

    fn state(&self) -> &Arc<State> {
        self.last.state()
    }

    /// The URL at which clients and REST callers reach the service, without a trailing slash.
    #[must_use]
    pub fn public_url(&self) -> String {
        self.state().authority.public_url().to_string()
    }

    /// Changes the URL at which clients and REST callers reach the service, for example after a port was
    /// bound. This method does not change whether links in responses have the public URL or the host of their
    /// request: see [`LocalServiceBuilder::public_url`].
    ///
    /// # Errors
    /// When the text is not an http or https URL or has a path, or its host is not on loopback and a key is refused there, as
    /// by [`serve`](Self::serve). The URL then stays as it is.
    pub fn set_public_url(&self, url: impl AsRef<str>) -> Result<(), ServeError> {
        let url = url.as_ref();
        let is_http = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
        let has_path = url.parse::<Uri>().is_ok_and(|it| it.path() != "/" || it.query().is_some());
        if !is_http || has_path || host::of_url(url).is_none() {
            let text = format!(
                "`{url}` is not the URL of a host: it must be like http://host:port, without a path"
            );
            return Err(ServeError::new(io::ErrorKind::InvalidInput, text));
        }
        // `serve` checks the address of its listener itself.
        self.state().access.check_keys(&self.state().authority, url, Reach::Loopback)?;
        self.state().authority.set_public_url(url);
        self.state().check_inspector(Reach::Loopback);
        Ok(())
    }

    /// The connection string for an app that uses this service:
    /// `Endpoint=…;Port=…;AccessKey=…;Version=1.0;`. It is a [`Secret`] because it contains the access key.
    #[must_use]
    pub fn connection_string(&self) -> Secret {
        let url = self.state().authority.public_url();
        let key = self.state().authority.primary_key().map(Secret::expose).unwrap_or_default();
        let port = url.parse::<Uri>().ok().and_then(|url| url.port_u16());
        let (endpoint, port) = match port {
            Some(port) => {
                let endpoint = url.trim_end_matches(&format!(":{port}"));
                (endpoint.to_owned(), format!("Port={port};"))
            }
            None => (url.to_string(), String::new()),
        };
        Secret::from(format!("Endpoint={endpoint};{port}AccessKey={key};Version=1.0;"))
    }

    /// The time in seconds since 1970 at which tokens are checked.
    pub(crate) fn now(&self) -> u64 {
        self.state().shared.clock.unix_seconds()
    }

    /// The key that signs tokens and upstream calls.
    pub(crate) fn signing_key(&self) -> Option<Secret> {
        self.state().authority.primary_key().cloned()
    }

    /// Sends a message of the app in this process, which needs no token and no request. The app has checked the names,
    /// and the message is plain ([`Payload::is_plain`]). A REST call takes the same path after its checks.
    #[doc(hidden)]
    pub fn send_in_process<'a>(
        &'a self,
        hub: &'a str,
        to: Recipients<'a>,
        message: &'a Payload,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(rest::send_in_process(self.state(), hub, to, message))
    }

    /// The address of the inspector with its token, for the terminal of the developer. It is a [`Secret`]: do not log it.
    /// `None` if the inspector is off.
    #[must_use]
    pub fn inspector_url(&self) -> Option<Secret> {
        let inspection = self.inspection()?;
        let token = inspection.token().expose();
        Some(Secret::from(format!("{}/inspector#{token}", self.public_url())))
    }

    /// Whether the token of the inspector is random, and not a secret of the operator.
    #[doc(hidden)]
    #[must_use]
    pub fn has_random_inspector_token(&self) -> bool {
        self.inspection().is_some_and(|inspection| !inspection.is_token_given)
    }

    /// The hubs of the app for the inspector: makes the JSON of the app's contract.
    #[doc(hidden)]
    pub fn set_contract(&self, contract: impl FnOnce() -> serde_json::Value + Send + 'static) {
        if let Some(inspection) = self.inspection() {
            inspection.set_contract(contract);
        }
    }

    fn inspection(&self) -> Option<&Inspection> {
        self.state().inspection.as_ref().filter(|inspection| inspection.is_open())
    }

    /// Counters at this moment. The cost is linear in the number of clients.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let (waiting_clients, waiting_bytes) = self.state().hubs.waiting();
        Counters {
            connections: self.state().hubs.connections(),
            slow_clients: self.state().shared.slow_clients.load(Ordering::Relaxed),
            waiting_clients,
            waiting_bytes,
        }
    }

    /// Connects a client without a socket. `url` and `access_token` come from the app's negotiate
    /// response and are checked as for a socket.
    ///
    /// # Errors
    /// When the service refuses the client, with the status and text that a client with a socket would
    /// receive. The status is 503 outside a tokio runtime, and 400 when `url` is invalid.
    pub fn connect_memory(
        &self,
        url: &str,
        access_token: &str,
    ) -> Result<MemoryConnection, ConnectError> {
        let refused = |status, text: &str| ConnectError { status, text: text.to_owned() };
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(refused(StatusCode::SERVICE_UNAVAILABLE, "there is no tokio runtime"));
        }
        let url: Uri =
            url.parse().map_err(|_| refused(StatusCode::BAD_REQUEST, "this is not a URL"))?;
        routes::connect_memory(self.state(), &url, access_token)
            .map_err(|it| ConnectError { status: it.status, text: it.text })
    }

    /// Serves HTTP/1 until [`shutdown`](Self::shutdown) completes. After a failed `accept`, the service pauses
    /// and accepts again. An error of one connection affects only that connection.
    ///
    /// # Errors
    /// When the listener or the public URL is not on loopback, and a key has fewer than 16 bytes or is the
    /// well-known key (unless [`LocalServiceBuilder::public`] allows that one).
    pub fn serve(
        &self,
        listener: TcpListener,
    ) -> impl Future<Output = Result<(), ServeError>> + Send + use<> {
        let serving = serve::serve(self.clone(), Arc::clone(self.state()), listener);
        // Boxed, so that the compiler does not prove again in the crate of an app that it is `Send`.
        Box::pin(serving) as Pin<Box<dyn Future<Output = Result<(), ServeError>> + Send>>
    }

    /// Stops the service. New clients get status 503. Connected clients are closed with
    /// `allowReconnect: true` (HubProtocol.md, Close), and a `disconnected` event is delivered upstream for each
    /// of them. REST calls work until the last delivery; then [`serve`](Self::serve) ends.
    pub async fn shutdown(&self) {
        self.state().close();
        self.state().shared.tasks.close();
        self.state().shared.tasks.wait().await;
        self.state().stopped.cancel();
    }
}

impl<B> tower_service::Service<Request<B>> for LocalService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.answer(request, Some(HostCheck::WithWellKnownKey))
    }
}

/// The future of a response.
type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl LocalService {
    /// Responds to a request. Without a `check`, the listener has checked its host.
    pub(crate) fn answer<B>(&self, request: Request<B>, check: Option<HostCheck>) -> ResponseFuture
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let body = UnreadBody::new(body);
        let state = Arc::clone(self.state());
        // A client request must not keep the service alive. A REST call keeps the service alive until the
        // response.
        let handle = ClientRoute::of(parts.uri.path()).is_none().then(|| self.clone());
        Box::pin(async move {
            let response = respond(&state, parts, body, check).await;
            drop(handle);
            Ok(response)
        })
    }
}

const HEALTH: [&str; 3] = ["/api/health", "/api/v1/health", "/health"];

async fn respond(
    state: &Arc<State>,
    parts: Parts,
    body: UnreadBody,
    check: Option<HostCheck>,
) -> Response<Body> {
    if let Some((status, text)) = check.and_then(|check| refusal(state, &parts, check)) {
        return body::text(status, text);
    }
    let path = parts.uri.path();
    if let Some(route) = ClientRoute::of(path) {
        return routes::respond(state, route, parts, body).await;
    }
    match path {
        path if HEALTH.iter().any(|it| it.eq_ignore_ascii_case(path)) => {
            health(state, &parts.method)
        }
        path if rest::is_path(path) => rest::respond(state, &parts, body).await,
        path if server_connection::is_path(path) => server_connection::respond(state, parts),
        path if inspector::is_path(path) => {
            // Boxed: rare, and the future of a REST call is smaller without it.
            let answer = Box::pin(inspector::respond(state, &parts, body)).await;
            answer.unwrap_or_else(unknown)
        }
        _ => unknown(),
    }
}

fn unknown() -> Response<Body> {
    body::text(StatusCode::NOT_FOUND, "no such resource; clients connect to /client/")
}

/// The refusal of a request from another server, which may not have checked the host.
fn refusal(state: &State, parts: &Parts, check: HostCheck) -> Option<(StatusCode, String)> {
    if !state.access.applies(check) || inspector::responds_to(state, parts.uri.path()) {
        return None;
    }
    match host::of(&parts.uri, &parts.headers) {
        Ok(host) => {
            let refused = state.access.refusal(&parts.headers, host, check, &state.authority);
            refused.map(|(status, refusal)| {
                state.record_foreign(status, &refusal);
                (status, refusal.text)
            })
        }
        Err(error) => Some((StatusCode::BAD_REQUEST, error.to_string())),
    }
}

/// The response to a health check. A stopping service is unhealthy, so that load balancers stop routing
/// requests to it.
fn health(state: &State, method: &Method) -> Response<Body> {
    match *method {
        Method::GET | Method::HEAD if state.shared.closing.is_cancelled() => {
            body::empty(StatusCode::SERVICE_UNAVAILABLE)
        }
        Method::GET | Method::HEAD => body::empty(StatusCode::OK),
        _ => {
            let mut response = body::empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
    }
}
