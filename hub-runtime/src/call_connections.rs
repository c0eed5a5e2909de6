//! Connections on which hub-local sends several calls at once ([`hub_net::calls`]).

use std::{future::ready, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, UPGRADE},
    request::Parts,
};
use http_body_util::Full;
use hub_net::{
    calls::{self, CallsError, PROTOCOL},
    connection::Rewound,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    answer::{empty, text},
    routes::Route,
    service::{ResponseFuture, answer_call},
    shared::Inner,
    upstream::caller::proves_key,
};

/// The connections for calls at once. A service opens at most four to an address.
const MAX_CONNECTIONS: usize = 64;

/// The connections of a server of the app.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(crate) tasks: TaskTracker,
    /// Cancelled when each connection ends after its current responses.
    pub(crate) stop: CancellationToken,
    /// Those for calls that may still be opened.
    for_calls: Arc<Semaphore>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            for_calls: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }
    }
}

/// Whether the app can verify the requests for such connections: some service of it has an access key.
pub(crate) fn can_offer(app: &Inner) -> bool {
    app.groups.iter().any(|group| !group.keys.access().is_empty())
}

/// Offers such connections in the response to a call that has run.
pub(crate) fn offering(mut response: Response<Bytes>) -> Response<Bytes> {
    if response.status() == StatusCode::OK {
        add_upgrade(&mut response);
    }
    response
}

fn add_upgrade(response: &mut Response<Bytes>) {
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
}

/// Whether a request asks for such a connection.
pub(crate) fn is_asked(parts: &Parts) -> bool {
    parts.method == Method::GET
        && has_token(&parts.headers, &UPGRADE, PROTOCOL)
        && has_token(&parts.headers, &CONNECTION, "upgrade")
}

/// The response to a request for such a connection. `None` if its path is not that of upstream calls.
pub(crate) fn open(
    app: &Arc<Inner>,
    connections: &Connections,
    parts: &mut Parts,
) -> Option<ResponseFuture> {
    if app.routes.of(&Method::POST, parts.uri.path()) != Route::Upstream {
        return None;
    }
    let upgrading = parts.extensions.remove::<OnUpgrade>()?;
    if !app.routes.code_fits(parts.uri.query()) {
        let app = Arc::clone(app);
        return Some(Box::pin(async move { app.wrong_codes.refuse().await }));
    }
    if !proves_key(app, &parts.headers) {
        app.log.line("call connection", |omitted| {
            tracing::warn!(omitted, "a connection for upstream calls was refused: its signature was made with another key; compare the access keys of this app and of the service");
        });
        let refusal = text(
            StatusCode::UNAUTHORIZED,
            "the request is not genuine: check that the access keys of the app and the service are the same",
        );
        return Some(Box::pin(ready(refusal)));
    }
    let Ok(permit) = Arc::clone(&connections.for_calls).try_acquire_owned() else {
        let refusal = text(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many connections for several calls: send each call as a request",
        );
        return Some(Box::pin(ready(refusal)));
    };
    let serving = serve(Arc::clone(app), upgrading, connections.clone());
    connections.tasks.spawn(async move {
        serving.await;
        drop(permit);
    });
    let mut switching = empty(StatusCode::SWITCHING_PROTOCOLS);
    add_upgrade(&mut switching);
    Some(Box::pin(ready(switching)))
}

/// Serves the calls of a connection until it ends.
async fn serve(app: Arc<Inner>, upgrading: OnUpgrade, connections: Connections) {
    let stream = upgrading.await.map_err(Into::into).and_then(stream);
    let (stream, arrived) = match stream {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "a connection was not upgraded");
            return;
        }
    };
    let Connections { tasks, stop, .. } = &connections;
    let of_calls = Arc::clone(&app);
    let handle = move |request: Request<Bytes>| {
        let (parts, body) = request.into_parts();
        answer_call(of_calls, parts, Full::new(body))
    };
    match calls::server::serve(stream, arrived, handle, tasks, stop).await {
        Ok(()) => {}
        Err(CallsError::Socket(error)) => {
            tracing::debug!(%error, "a connection for upstream calls has ended");
        }
        Err(error) => app.log.line("calls", |omitted| {
            tracing::warn!(%error, omitted, "a connection for upstream calls was closed: the service has sent invalid frames");
        }),
    }
}

/// The socket of a connection, and the bytes that were read from it.
fn stream(upgraded: Upgraded) -> Result<(TcpStream, Vec<u8>), hub_net::BoxError> {
    let parts = upgraded.downcast::<TokioIo<Rewound<TcpStream>>>();
    let parts = parts.map_err(|_| "no TCP connection")?;
    let (stream, unread) = parts.io.into_inner().into_parts();
    Ok((stream, [parts.read_buf, unread].concat()))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}
