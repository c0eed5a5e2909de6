//! Serves HTTP/1.1 on one connection.

use std::{convert::Infallible, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use http::{Request, Response, StatusCode, Version, header::HOST};
use http_body::Body;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

pub use self::unread::ServedBody;
use self::unread::Unread;
use crate::{
    BoxError,
    host::{self, HostError},
    idle_sockets::IdleSockets,
    rarely_ready::RarelyReady,
    refusal::{Refusal, ServerBody},
};

mod unread;

/// How long a connection reads a request body that the service has left unread.
///
/// Clients such as .NET's `HttpClient` write the whole request before they read the response. If the server
/// closes the socket with unread data, TCP sends a reset, and the client loses the response (RFC 9112 §9.6).
#[derive(Clone, Debug)]
pub struct UnreadBodies {
    /// Counts the connection while it reads, because its client may send slowly or nothing.
    pub sockets: Arc<IdleSockets>,
    /// The longest time from the response on.
    pub timeout: Duration,
}

/// Serves a connection until it ends. After `stop` is cancelled, the current response is the last response.
/// If `close` completes before `stop` is cancelled, the connection is dropped.
///
/// What the service leaves of a request body is read and dropped after the response. If that takes too long
/// or is more than 16 MiB, the connection is closed. The client is not asked to send a body (`100 Continue`)
/// that the service does not read.
///
/// A request without a valid host gets status 400, and a request that `refuse` refuses gets the response of
/// that refusal. `refuse` also gets the host of the request, without its port. The service sees neither.
pub async fn serve_connection<I, S, B>(
    http: &http1::Builder,
    stream: I,
    service: S,
    refuse: impl Fn(&Request<Incoming>, Option<&str>) -> Option<Refusal>,
    limits: UnreadBodies,
    stop: &CancellationToken,
    close: impl Future<Output = ()>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<ServedBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let unread = Arc::<Unread>::default();
    let bodies = Arc::clone(&unread);
    let respond = service_fn(move |request: Request<Incoming>| {
        let unread = (!request.body().is_end_stream()).then(|| bodies.begin());
        let body = unread.clone();
        let refused = match host(&request) {
            Ok(host) => refuse(&request, host),
            Err(refusal) => Some(refusal),
        };
        let request = request.map(|incoming| ServedBody::new(incoming, body));
        let responding = match refused {
            None => Ok(service.call(request)),
            Some(refusal) => Err(refusal),
        };
        async move {
            let response = match responding {
                Ok(responding) => responding
                    .await
                    .map(|response| response.map(|body| ServerBody::Service { body })),
                Err(refusal) => Ok(refusal.response()),
            };
            unread.iter().for_each(|unread| unread.answered());
            response
        }
    });
    let connection = http.serve_connection(TokioIo::new(stream), respond).with_upgrades();
    let mut connection = pin!(connection);
    let mut reading = pin!(unread.read_rests(limits));
    let (mut stopped, mut close) = (pin!(stop.cancelled()), pin!(close));
    let mut is_stopping = false;
    // Each request wakes the task several times, and needs none of these futures.
    let mut others = RarelyReady::new(poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Ready(never) => match never {},
        Poll::Pending if is_stopping => Poll::Pending,
        Poll::Pending if stopped.as_mut().poll(cx).is_ready() => {
            is_stopping = true;
            Poll::Ready(Other::Stop)
        }
        Poll::Pending => close.as_mut().poll(cx).map(|()| Other::Close),
    }));
    let ended = loop {
        tokio::select! {
            // In this order: a request that has arrived is read before its peer counts as idle, and the head
            // of a response is written before the rest of the request is read.
            biased;
            ended = connection.as_mut() => break ended,
            other = &mut others => match other {
                Other::Stop => connection.as_mut().graceful_shutdown(),
                Other::Close => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}

/// What happens to a connection besides its requests.
enum Other {
    /// The current response is the last one.
    Stop,
    /// The connection is dropped.
    Close,
}

impl Unread {
    /// Reads the rests of request bodies, one after the other. A rest that exceeds the limits is dropped,
    /// which closes the connection.
    async fn read_rests(&self, limits: UnreadBodies) -> Infallible {
        loop {
            let rest = self.next().await;
            // Boxed: most connections never need it.
            Box::pin(async {
                let evicted = CancellationToken::new();
                let _counted = limits.sockets.add(evicted.clone());
                tokio::select! {
                    () = unread::read_away(rest) => {}
                    () = evicted.cancelled() => {}
                    () = sleep(limits.timeout) => {}
                }
            })
            .await;
        }
    }
}

/// The host of a request, or the refusal if it is missing or invalid (RFC 9112 §3.2).
fn host(request: &Request<Incoming>) -> Result<Option<&str>, Refusal> {
    let needs_host = request.version() >= Version::HTTP_11;
    let error = match host::of(request.uri(), request.headers()) {
        Err(error) => error,
        // Without an authority in the URI, it is the host of a header.
        Ok(Some(host)) if request.uri().authority().is_none() => return Ok(Some(host)),
        Ok(_) if needs_host && !request.headers().contains_key(HOST) => HostError::Missing,
        Ok(host) => return Ok(host),
    };
    tracing::debug!(%error, "a request was refused");
    Err(Refusal { status: StatusCode::BAD_REQUEST, text: error.to_string() })
}

#[cfg(test)]
mod tests;
