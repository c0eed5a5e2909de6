//! The app as a tower service, and its counters and contract.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
#[cfg(feature = "server")]
use futures_util::future::Either;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
#[doc(inline)]
pub use hub_core::Contract;
#[cfg(feature = "server")]
use hub_core::upstream::REQUEST_ID;
use hub_net::{BoxError, body::UnreadBody};
use tower_service::Service;

pub use crate::counters::Counters;
#[cfg(feature = "server")]
pub use crate::host::RequestBody;

#[cfg(feature = "server")]
use crate::call_connections::{self, Connections};
#[cfg(feature = "functions")]
use crate::functions;
#[cfg(feature = "local")]
use crate::start_page;
use crate::{
    answer::{empty, text},
    negotiate,
    routes::Route,
    shared::{Inner, Mount},
    unnegotiated,
    upstream::{self, InvocationIds},
};

/// [`HubApp`](crate::HubApp) as a service for any request body. The service never fails.
#[derive(Clone)]
pub struct HubService {
    app: Arc<Inner>,
    /// Where connections for several calls at once run, if the app offers them.
    #[cfg(feature = "server")]
    connections: Option<Arc<Connections>>,
}

impl HubService {
    pub(crate) fn new(app: Arc<Inner>) -> Self {
        Self {
            app,
            #[cfg(feature = "server")]
            connections: None,
        }
    }

    /// A service that offers connections for several calls at once.
    #[cfg(feature = "server")]
    pub(crate) fn offering(app: Arc<Inner>, connections: Connections) -> Self {
        let connections = call_connections::can_offer(&app).then(|| Arc::new(connections));
        Self { app, connections }
    }
}

impl fmt::Debug for HubService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubService")
    }
}

impl<B> Service<Request<B>> for HubService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<HubBody>;
    type Error = Infallible;
    type Future = HubServiceFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> HubServiceFuture {
        #[allow(unused_mut, reason = "only the server of this crate has upgrades")]
        let (mut parts, body) = request.into_parts();
        #[cfg(feature = "server")]
        if let Some(connections) = &self.connections {
            if call_connections::is_asked(&parts)
                && let Some(response) = call_connections::open(&self.app, connections, &mut parts)
            {
                return HubServiceFuture::new(response);
            }
            let destination = destination(&self.app, &parts);
            // Only hub-local sends request ids.
            let offers = matches!(destination, Destination::Upstream)
                && parts.headers.contains_key(REQUEST_ID);
            let response = answer_at(destination, Arc::clone(&self.app), parts, body);
            return HubServiceFuture { response, offers };
        }
        HubServiceFuture::new(answer(Arc::clone(&self.app), parts, body))
    }
}

/// The future of a response of [`HubService`]. If the future is dropped, a hub method that has started runs
/// to completion.
#[must_use = "futures do nothing unless awaited"]
pub struct HubServiceFuture {
    response: ResponseFuture,
    /// Whether the response offers connections for several calls at once.
    #[cfg(feature = "server")]
    offers: bool,
}

impl HubServiceFuture {
    fn new(response: ResponseFuture) -> Self {
        Self {
            response,
            #[cfg(feature = "server")]
            offers: false,
        }
    }
}

/// The boxed future of a response.
pub(crate) type ResponseFuture = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

impl Future for HubServiceFuture {
    type Output = Result<Response<HubBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.response.as_mut().poll(cx));
        #[cfg(feature = "server")]
        let answer = if self.offers { call_connections::offering(answer) } else { answer };
        Poll::Ready(Ok(challenged(answer).map(HubBody::from)))
    }
}

/// Adds the challenge that a response with status 401 needs (RFC 9110 §15.5.2).
fn challenged(mut answer: Response<Bytes>) -> Response<Bytes> {
    if answer.status() == StatusCode::UNAUTHORIZED {
        let challenge = header::WWW_AUTHENTICATE;
        answer.headers_mut().entry(challenge).or_insert(HeaderValue::from_static("Bearer"));
    }
    answer
}

impl fmt::Debug for HubServiceFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubServiceFuture")
    }
}

/// The body of a response, completely in memory.
#[derive(Clone, Debug, Default)]
pub struct HubBody(Full<Bytes>);

impl From<Bytes> for HubBody {
    fn from(bytes: Bytes) -> Self {
        Self(Full::new(bytes))
    }
}

impl Body for HubBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Routes one request.
pub(crate) fn answer<B>(app: Arc<Inner>, parts: http::request::Parts, body: B) -> ResponseFuture
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    answer_at(destination(&app, &parts), app, parts, body)
}

/// Upstream calls have their own future, because the futures of other routes are several times as large. For other
/// routes, the type of the body is erased, so that they are compiled only once.
fn answer_at<B>(
    destination: Destination,
    app: Arc<Inner>,
    parts: http::request::Parts,
    body: B,
) -> ResponseFuture
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    match destination {
        Destination::Refusal(refusal) => Box::pin(std::future::ready(refusal)),
        Destination::Upstream => {
            Box::pin(upstream::handle(app, parts.headers, body, InvocationIds::OfClients, || false))
        }
        Destination::Other => Box::pin(other(app, parts, UnreadBody::new(body))),
    }
}

/// Handles a call of a connection that carries upstream calls only.
#[cfg(feature = "server")]
pub(crate) fn answer_call(
    app: Arc<Inner>,
    parts: http::request::Parts,
    body: Full<Bytes>,
) -> impl Future<Output = Response<Bytes>> + Send + 'static {
    let other: ResponseFuture = match destination(&app, &parts) {
        // Not boxed: it is part of the task of the call.
        Destination::Upstream => {
            let ids = InvocationIds::OfClients;
            return Either::Left(upstream::handle(app, parts.headers, body, ids, || false));
        }
        Destination::Refusal(refusal) => Box::pin(std::future::ready(refusal)),
        Destination::Other => Box::pin(async move {
            match app.routes.of(&parts.method, parts.uri.path()) {
                Route::Upstream => app.wrong_codes.refuse().await,
                _ => text(StatusCode::NOT_FOUND, "not found"),
            }
        }),
    };
    Either::Right(other)
}

/// What handles a request.
enum Destination {
    Refusal(Response<Bytes>),
    /// An upstream call with the right code.
    Upstream,
    Other,
}

fn destination(app: &Inner, parts: &http::request::Parts) -> Destination {
    if let Some((status, refusal)) = app.host_refusal(&parts.method, &parts.uri, &parts.headers) {
        return Destination::Refusal(text(status, refusal));
    }
    let route = app.routes.of(&parts.method, parts.uri.path());
    if route == Route::Upstream && app.routes.code_fits(parts.uri.query()) {
        return Destination::Upstream;
    }
    Destination::Other
}

/// The hub of a request to refresh. Apps often have other routes of this name, so it must name a hub, or be for the only
/// hub and its `refresh`.
fn refreshed_hub(app: &Inner, hub: Option<&str>) -> Option<Arc<Mount>> {
    match hub {
        Some(name) => app.hubs.find(name),
        None => app.hubs.single().filter(|mount| mount.hub.refreshes()),
    }
}

/// Handles all requests except authorized upstream calls.
#[cfg_attr(
    not(feature = "functions"),
    allow(
        unused_variables,
        reason = "only calls of the Functions host have a body that is read here"
    )
)]
async fn other(app: Arc<Inner>, parts: http::request::Parts, body: UnreadBody) -> Response<Bytes> {
    let mut route = app.routes.of(&parts.method, parts.uri.path());
    if let Route::Refresh(hub) = route {
        if let Some(mount) = refreshed_hub(&app, hub) {
            return negotiate::refresh::handle(app, parts, mount).await;
        }
        route = Route::Unknown;
    }
    match route {
        Route::Upstream => app.wrong_codes.refuse().await,
        Route::Negotiate(hub) => {
            let hub = hub.map(str::to_owned);
            negotiate::handle(app, parts, hub.as_deref()).await
        }
        Route::Health if app.is_closing() => text(StatusCode::SERVICE_UNAVAILABLE, "shutting down"),
        Route::Health => text(StatusCode::OK, "healthy"),
        Route::WrongMethod(allowed) => unnegotiated::refusal(&app, &parts).unwrap_or_else(|| {
            let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
            answer
        }),
        #[cfg(feature = "functions")]
        Route::Unknown if functions::is_invocation(&app, &parts) => {
            functions::handle(app, parts, body).await
        }
        #[cfg(feature = "local")]
        Route::Unknown if start_page::is_asked(&app, &parts) => start_page::page(&app),
        Route::Unknown | Route::Refresh(_) => unnegotiated::refusal(&app, &parts)
            .unwrap_or_else(|| text(StatusCode::NOT_FOUND, "not found")),
    }
}
