//! The connections for [`calls`](crate::calls) of a host, which are opened when a response offers them.

use std::{
    fmt, io,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{
    RequestError,
    pool::{Connect, Host, Pool},
    request::Plain,
    response::{Expected, Incoming},
    socket::Socket as _,
};
use crate::{
    BoxError,
    calls::{
        CallsError, PROTOCOL,
        caller::{Block, CallConnection, CallError, NewCall, RunningCall},
        frame::{Frame, first},
    },
    log_limit::LogLimit,
};

/// With fewer calls of a host at once, each is an HTTP/1.1 request: its task reads and writes the socket itself, which takes less
/// time than a task between.
const MIN_CALLS: usize = 4;
/// Connections to another machine, where an address may lead to several instances of the app.
const CONNECTIONS: usize = 4;
/// How long the app may take to accept the upgrade and to answer the first frame.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// After a refusal, or an end that neither side has announced, offers of the host are ignored for this time: its calls are
/// HTTP/1.1 requests, so that connections that break again and again cost few calls.
const PAUSE: Duration = Duration::from_secs(30);
/// The same while the host cannot be reached: the app may be starting again.
const SHORT_PAUSE: Duration = Duration::from_secs(1);
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;

/// An upstream call.
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "internal to this project")]
pub struct UpstreamCall<'a> {
    /// The URL.
    pub uri: &'a Uri,
    /// Header lines that many calls have in common.
    pub block: &'a Block,
    /// Header lines of this call only, each with its line break.
    pub lines: &'a [&'a [u8]],
    /// The body.
    pub body: &'a Bytes,
    /// The largest body of the response over HTTP/1.1.
    pub max_bytes: usize,
}

/// Lines and body contain signatures, claims and arguments: only their lengths are written.
impl fmt::Debug for UpstreamCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines.iter().map(|part| part.len()).sum::<usize>();
        let (block, body) = (self.block, self.body.len());
        let mut fields = f.debug_struct("UpstreamCall");
        fields.field("block", block).field("lines", &lines).field("body", &body);
        fields.finish_non_exhaustive()
    }
}

/// Makes the header lines with a connection id and its signature by the access key. `None` if no connection for calls
/// is opened.
pub type Proof<'a> = &'a (dyn Fn() -> Option<Vec<u8>> + Send + Sync);

/// The connections of a host.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// The entry that gets the next call.
    next: usize,
    /// Offers before this time are ignored.
    paused_until: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    connection: Arc<CallConnection>,
    /// Whether the host is this machine.
    is_local: bool,
    /// The task of the connection.
    task: Option<AbortHandle>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.task.iter().for_each(AbortHandle::abort);
    }
}

impl Calls {
    pub(super) fn any(&self) -> bool {
        !self.0.lock().entries.is_empty()
    }

    /// Sends a call, if a connection takes it. Also returns whether one more connection is wanted.
    fn begin(&self, call: &NewCall<'_>) -> (Option<RunningCall>, bool) {
        let mut state = self.0.lock();
        let count = state.entries.len();
        if count == 0 {
            return (None, false);
        }
        state.next = (state.next + 1) % count;
        let (later, earlier) = (state.entries.iter().skip(state.next), state.entries.iter());
        let mut entries = later.chain(earlier.take(state.next));
        let running = entries.find_map(|entry| entry.connection.begin(call));
        (running, state.wants_another())
    }

    /// Adds a connection that is being opened, if one is wanted.
    fn add(&self) -> Option<Arc<CallConnection>> {
        let mut state = self.0.lock();
        let is_paused = state.paused_until.is_some_and(|until| Instant::now() < until);
        if is_paused || !state.wants_another() {
            return None;
        }
        let connection = Arc::<CallConnection>::default();
        let entry = Entry { connection: Arc::clone(&connection), is_local: false, task: None };
        state.entries.push(entry);
        Some(connection)
    }

    fn with_task(&self, connection: &Arc<CallConnection>, task: AbortHandle) {
        let mut state = self.0.lock();
        match state.entry(connection) {
            Some(entry) => entry.task = Some(task),
            // It has ended.
            None => drop(task),
        }
    }

    /// The app has accepted the upgrade. One of the connections that are replaced ends.
    fn opened(&self, connection: &Arc<CallConnection>, is_local: bool) {
        let mut state = self.0.lock();
        connection.opened();
        if let Some(entry) = state.entry(connection) {
            entry.is_local = is_local;
        }
        let mut aged = state.entries.iter().filter(|entry| entry.connection.is_aged());
        aged.next().into_iter().for_each(|entry| entry.connection.retire());
    }

    /// The app has not accepted the upgrade, or the connection has broken. Another app may have this address now.
    fn refused(&self, pause: Duration) {
        let mut state = self.0.lock();
        state.paused_until = Some(Instant::now() + pause);
        let aged = state.entries.iter().filter(|entry| entry.connection.is_aged());
        aged.for_each(|entry| entry.connection.retire());
    }

    fn remove(&self, connection: &Arc<CallConnection>) {
        let removed = {
            let mut state = self.0.lock();
            let index = state.entries.iter().position(|it| Arc::ptr_eq(&it.connection, connection));
            index.map(|index| state.entries.remove(index))
        };
        drop(removed);
    }
}

impl State {
    fn entry(&mut self, connection: &Arc<CallConnection>) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| Arc::ptr_eq(&entry.connection, connection))
    }

    fn wants_another(&self) -> bool {
        let is_local = self.entries.iter().any(|entry| entry.is_local);
        let wanted = if is_local { 1 } else { CONNECTIONS };
        let fresh = self.entries.iter().filter(|entry| entry.connection.is_fresh()).count();
        fresh < wanted && !self.entries.iter().any(|entry| entry.connection.is_opening())
    }
}

impl<C: Connect> Pool<C> {
    /// Sends a call, on a connection for calls if there is one. A call is repeated over HTTP/1.1 only if no byte of it was
    /// sent.
    pub(super) async fn call(
        &self,
        call: UpstreamCall<'_>,
        proof: Proof<'_>,
    ) -> Result<(StatusCode, Bytes), RequestError> {
        let UpstreamCall { uri, block, lines, body, max_bytes } = call;
        let host = self.host(uri).map_err(RequestError::Unreachable)?;
        let target = target(uri);
        let framed = NewCall { host: host.line(), target, block, lines, body };
        // Each call that runs holds the host, and so does the pool.
        let is_busy = Arc::strong_count(&host) > MIN_CALLS;
        let (running, wants_another) =
            if is_busy { host.calls.begin(&framed) } else { (None, false) };
        if wants_another {
            self.open(&host, target, proof);
        }
        if let Some(running) = running {
            match running.await {
                Ok(response) => return Ok(response),
                Err(CallError::Unsent) => {}
                Err(CallError::Interrupted(error)) => {
                    return Err(RequestError::Interrupted(error));
                }
                Err(CallError::TooLarge) => return Err(RequestError::TooLarge),
            }
        }
        let (method, headers) = (&Method::POST, &HeaderMap::new());
        let mut all = Vec::with_capacity(lines.len() + 1);
        all.push(block.lines());
        all.extend_from_slice(lines);
        let request = Plain { method, uri, headers, lines: &all, body };
        let expected = Expected { is_head: false, wants_headers: false, max_bytes };
        let incoming: Incoming = self.request_at(&host, request, expected).await?;
        if is_busy && incoming.offers_calls {
            self.open(&host, target, proof);
        }
        Ok((incoming.status, incoming.body))
    }

    /// Opens a connection for calls, unless there is one or the host has refused one.
    fn open(&self, host: &Arc<Host<C::Socket>>, target: &str, proof: Proof<'_>) {
        let Some(connection) = host.calls.add() else { return };
        let Some(proof) = proof() else { return host.calls.remove(&connection) };
        let request = [
            "GET ",
            target,
            " HTTP/1.1\r\n",
            host.line(),
            "connection: Upgrade\r\nupgrade: ",
            PROTOCOL,
            "\r\n",
        ];
        let request = [request.concat().as_bytes(), &proof, b"\r\n"].concat();
        let (opener, uri) = (self.opener(), host.uri().clone());
        let (of, opened, log) = (Arc::downgrade(host), Arc::clone(&connection), self.log());
        let task = tokio::spawn(async move {
            let removal = Removal { of, connection };
            let mut pause = SHORT_PAUSE;
            let opening = async {
                let socket = opener.connect(uri).await?.into_socket();
                pause = PAUSE;
                let mut stream = socket.into_tcp().ok_or("the connection is not plain TCP")?;
                let arrived = upgrade(&mut stream, &request).await?;
                Ok::<_, BoxError>((stream, arrived))
            };
            let opening = timeout(OPEN_TIMEOUT, opening).await;
            let opening = opening.unwrap_or_else(|_| Err("no response in time".into()));
            let Some(host) = removal.of.upgrade() else { return };
            let (stream, arrived) = match opening {
                Ok(opened) => opened,
                Err(error) => {
                    tracing::debug!(%error, "the app does not take several calls on one connection");
                    return host.calls.refused(pause);
                }
            };
            let is_local = stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
            host.calls.opened(&removal.connection, is_local);
            drop(host);
            let ended = removal.connection.drive(stream, arrived).await;
            removal.ended(&ended, &log);
        });
        host.calls.with_task(&opened, task.abort_handle());
    }
}

/// Removes a connection from its host, after its end.
struct Removal<I> {
    of: Weak<Host<I>>,
    connection: Arc<CallConnection>,
}

impl<I> Removal<I> {
    fn pause(&self) {
        if let Some(host) = self.of.upgrade() {
            host.calls.refused(PAUSE);
        }
    }

    fn ended(&self, ended: &Result<(), CallsError>, log: &LogLimit) {
        match ended {
            Ok(()) => {}
            Err(CallsError::Socket(error)) => {
                tracing::debug!(%error, "a connection for calls has ended");
                if !self.connection.was_retired() {
                    self.pause();
                }
            }
            Err(error) => {
                self.pause();
                log.line("calls", |omitted| {
                    tracing::warn!(%error, omitted, "an app has sent invalid frames: its connection for calls was closed, and its calls are HTTP/1.1 requests");
                });
            }
        }
    }
}

impl<I> Drop for Removal<I> {
    fn drop(&mut self) {
        if let Some(host) = self.of.upgrade() {
            host.calls.remove(&self.connection);
        }
    }
}

/// Path and query of a URL.
fn target(uri: &Uri) -> &str {
    match uri.path_and_query() {
        Some(target) if target.as_str().starts_with('/') => target.as_str(),
        _ => "/",
    }
}

/// Asks the app to switch to the protocol, and waits for its first frame: between service and app, a proxy may pass the switch on
/// and no frames. Returns bytes that have arrived after that frame.
async fn upgrade(stream: &mut TcpStream, request: &[u8]) -> Result<Vec<u8>, BoxError> {
    stream.write_all(request).await?;
    let mut arrived = Vec::with_capacity(1024);
    loop {
        read(stream, &mut arrived).await?;
        if let Some(length) = switched(&arrived)? {
            arrived.drain(..length);
            break;
        }
        if arrived.len() > MAX_HEAD_BYTES {
            return Err("the response is too long".into());
        }
    }
    let mut ping = Vec::new();
    Frame::Ping.write(&mut ping);
    stream.write_all(&ping).await?;
    loop {
        match first(&arrived, 0)? {
            Some((Frame::Pong, length)) => {
                arrived.drain(..length);
                return Ok(arrived);
            }
            Some(_) => return Err("the first frame is no pong".into()),
            None => read(stream, &mut arrived).await?,
        }
    }
}

async fn read(stream: &mut TcpStream, arrived: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(arrived).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The length of the response, if it has arrived and the app has switched.
fn switched(head: &[u8]) -> Result<Option<usize>, BoxError> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut lines);
    let httparse::Status::Complete(length) = response.parse(head)? else { return Ok(None) };
    let code = response.code.unwrap_or_default();
    if code != StatusCode::SWITCHING_PROTOCOLS.as_u16() {
        return Err(format!("the status is {code}").into());
    }
    let mut lines = response.headers.iter();
    let is_accepted =
        lines.any(|line| line.name.eq_ignore_ascii_case("upgrade") && is_named(line.value));
    if is_accepted { Ok(Some(length)) } else { Err("another protocol".into()) }
}

/// Whether an `Upgrade` names the protocol.
pub(super) fn is_named(value: &[u8]) -> bool {
    let mut items = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    items.any(|item| item.eq_ignore_ascii_case(PROTOCOL.as_bytes()))
}

#[cfg(test)]
mod tests;
