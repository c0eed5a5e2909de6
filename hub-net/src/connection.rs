//! Serves HTTP/1.1 on one connection.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{Request, Response, StatusCode, Version, header::HOST};
use http_body::Body;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep},
};
use tokio_util::{either::Either, sync::CancellationToken};

use self::{
    head_timeout::HeadTimeout,
    plain::{Ended, Rules},
    unread::Unread,
};
pub use self::{rewound::Rewound, unread::ServedBody};
use crate::{
    BoxError,
    host::{self, HostError},
    idle_sockets::IdleSockets,
    rarely_ready::RarelyReady,
    refusal::{Refusal, ServerBody},
    standstill::PeerTimer,
};

mod head_timeout;
mod plain;
mod rewound;
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

/// Limits of the requests of a connection.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// The longest time until the head of a request has arrived, with the idle time before it.
    pub head_timeout: Duration,
    /// The size in bytes above which a head is refused, after the read that exceeds it.
    pub max_buffer: usize,
    /// The maximum size of a head in bytes; `None` if only `max_buffer` limits it.
    pub max_head: Option<usize>,
    /// Whether further requests are read after the first one.
    pub keep_alive: bool,
}

impl RequestLimits {
    /// hyper with these limits. `since` is the time from which it waits for the first head, and `is_last` whether the
    /// next response is the last one.
    fn http(&self, since: Option<Instant>, is_last: bool) -> http1::Builder {
        let mut http = http1::Builder::new();
        http.timer(PeerTimer::since(since))
            .header_read_timeout(self.head_timeout)
            .keep_alive(!is_last)
            .max_buf_size(self.max_buffer);
        if let Some(max_head) = self.max_head {
            http.max_header_size(max_head);
        }
        http
    }
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
///
/// When the peer leaves, the future of its request is dropped.
pub async fn serve_connection<I, S, B>(
    http: RequestLimits,
    mut stream: I,
    service: S,
    refuse: impl Fn(&Request<ServedBody>, Option<&str>) -> Option<Refusal>,
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
    let mut respond = move |request: Request<ServedBody>| {
        let refused = match host(&request) {
            Ok(host) => refuse(&request, host),
            Err(refusal) => Some(refusal),
        };
        let responding = match refused {
            None => Ok(service.call(request)),
            Some(refusal) => Err(refusal),
        };
        async move {
            match responding {
                Ok(responding) => responding
                    .await
                    .map(|response| response.map(|body| ServerBody::Service { body })),
                Err(refusal) => Ok(refusal.response()),
            }
        }
    };
    let unread = Arc::<Unread>::default();
    let rules = Rules {
        head_timeout: HeadTimeout::new(http.head_timeout),
        is_last: AtomicBool::new(!http.keep_alive),
    };
    let mut reading = pin!(unread.read_rests(limits));
    let (mut stopped, mut close) = (pin!(stop.cancelled()), pin!(close));
    let mut head_timer = pin!(sleep(http.head_timeout));
    let mut is_stopping = false;
    // Each request wakes the task several times, and needs none of these futures.
    let mut others = RarelyReady::new(poll_fn(|cx| {
        match reading.as_mut().poll(cx) {
            Poll::Ready(never) => match never {},
            Poll::Pending if rules.head_timeout.poll(head_timer.as_mut(), cx).is_ready() => {
                return Poll::Ready(Other::Close);
            }
            Poll::Pending => {}
        }
        if is_stopping {
            return Poll::Pending;
        }
        if stopped.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            return Poll::Ready(Other::Stop);
        }
        close.as_mut().poll(cx).map(|()| Other::Close)
    }));
    let ended = {
        let mut plain = pin!(plain::serve(&mut stream, &rules, &mut respond));
        loop {
            tokio::select! {
                // In this order: a request that has arrived is read before its peer counts as idle.
                biased;
                ended = plain.as_mut() => break ended,
                other = &mut others => match other {
                    // A connection without a request has nothing to write.
                    Other::Stop if rules.head_timeout.is_running() => return,
                    Other::Stop => rules.is_last.store(true, Ordering::Relaxed),
                    Other::Close => return,
                }
            }
        }
    };
    let (bytes, response) = match ended {
        Ok(Ended::HandedOver { bytes, response }) => (bytes, Mutex::new(response)),
        Ok(Ended::Closed) => return,
        Err(error) => return tracing::debug!(%error, "an HTTP connection failed"),
    };
    let bodies = Arc::clone(&unread);
    let respond = service_fn(move |request: Request<Incoming>| {
        if let Some(response) = response.lock().take() {
            // The service has had this request. Its body is in memory, and hyper reads it again.
            return Either::Left(async {
                unread::read_away(request.into_body()).await;
                Ok(response)
            });
        }
        let unread = (!request.body().is_end_stream()).then(|| bodies.begin());
        let request = request.map(|incoming| ServedBody::new(incoming, unread.clone()));
        let responding = respond(request);
        Either::Right(async move {
            let response = responding.await;
            unread.iter().for_each(|unread| unread.answered());
            response
        })
    });
    let stream = TokioIo::new(Rewound::new(bytes, stream));
    let is_last = rules.is_last.load(Ordering::Relaxed);
    let http = http.http(rules.head_timeout.end(), is_last);
    let mut connection = pin!(http.serve_connection(stream, respond).with_upgrades());
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
fn host(request: &Request<ServedBody>) -> Result<Option<&str>, Refusal> {
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
