//! A server on loopback that stands for a service: it writes down each request and answers as it is told.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

/// A request as it came over the socket.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The bearer token.
    pub(crate) fn token(&self) -> &str {
        let value = self.headers.get("authorization").map_or("", |value| value.to_str().unwrap());
        value.strip_prefix("Bearer ").unwrap_or_default()
    }
}

/// What a fake answers to a request.
pub(crate) type Answer = Response<Full<Bytes>>;

/// An answer with this status, error code and body.
pub(crate) fn answer(status: u16, code: &str, body: impl Into<Bytes>) -> Answer {
    let answer = Response::builder().status(status).header("x-ms-error-code", code);
    answer.body(Full::new(body.into())).unwrap()
}

/// The server; it ends with the value.
pub(crate) struct FakeService {
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: JoinSet<()>,
}

impl FakeService {
    /// A service that answers every request as `respond` says.
    pub(crate) async fn start<F>(respond: F) -> Self
    where
        F: Fn(&Seen) -> Answer + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (seen, respond) = (Arc::new(Mutex::new(Vec::new())), Arc::new(respond));
        let mut server = JoinSet::new();
        let written = Arc::clone(&seen);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (written, respond) = (Arc::clone(&written), Arc::clone(&respond));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (written, respond) = (Arc::clone(&written), Arc::clone(&respond));
                    async move {
                        let seen = read(request).await;
                        written.lock().unwrap().push(seen.clone());
                        Ok::<_, Infallible>(respond(&seen))
                    }
                });
                connections.spawn(async move {
                    let io = TokioIo::new(stream);
                    let _ = http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
        Self { base, seen, _server: server }
    }

    /// A service that accepts everything.
    pub(crate) async fn accepting() -> Self {
        Self::start(|_| answer(202, "", "")).await
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap()
    }

    /// Method and path of every request but health probes, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let seen = self.seen();
        let seen = seen.iter().filter(|seen| seen.path() != "/api/health");
        seen.map(|seen| format!("{} {}", seen.method, seen.path())).collect()
    }

    /// A connection string for this service.
    pub(crate) fn connection_string(&self, key: &str) -> String {
        format!("Endpoint={};AccessKey={key};Version=1.0;", self.base)
    }
}

async fn read(request: Request<Incoming>) -> Seen {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let target = request.uri().to_string();
    // An answer before the end of the body would break the connection off.
    request.into_body().collect().await.unwrap();
    Seen { method, target, headers }
}
