//! The accept loop: HTTP/1 with upgrades and limits.

mod silent;
mod steady;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinSet, yield_now},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use self::silent::Place;
pub(crate) use self::{silent::Silent, steady::Steady};
use crate::{
    descriptors::{Crowded, Descriptors},
    service::LocalService,
    state::State,
};

/// How long a head may take at most, for sockets that hold one of the last descriptors.
const CROWDED_HEAD_TIME: Duration = Duration::from_secs(2);
/// Tokens travel in URLs, so heads may be longer than a REST call's 16 KB.
const HEAD_SIZE: usize = 32 * 1024;
/// After this the accept loop tries again when the system is out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the service has stopped. Dropping the future drops its HTTP connections, but not
/// clients that are connected already.
pub(crate) async fn serve(
    service: LocalService,
    state: Arc<State>,
    listener: TcpListener,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let mut descriptors = Descriptors::new(state.shared.limits.max_file_descriptors);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let crowded = descriptors.is_crowded(&stream).then_some(Crowded);
                    let hang_up = HangUp::default();
                    let (place, full) = state.silent.enter(hang_up.hung_up.clone());
                    let stream = hang_up.guard(stream, state.shared.limits.response_stall_timeout);
                    let socket = Socket { stream, hang_up, place, crowded };
                    connections.spawn(connection(service.clone(), Arc::clone(&state), socket));
                    if full {
                        // The one that is closed for it gives its descriptor back.
                        yield_now().await;
                    }
                }
                Err(error) => rest(&error).await,
            },
            Some(_) = connections.join_next() => {}
            () = state.stopped.cancelled() => break,
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(state.shared.limits.close_timeout, ended).await;
    Ok(())
}

/// Errors of one connection are no reason to wait; others, above all too many open files, are.
async fn rest(error: &io::Error) {
    let own = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
    ];
    if own.contains(&error.kind()) {
        return;
    }
    tracing::error!(%error, "cannot accept a connection; trying again");
    sleep(PAUSE).await;
}

/// The hold that the answer to a request has on its socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct HangUp {
    hung_up: CancellationToken,
    unhurried: Arc<AtomicBool>,
}

impl HangUp {
    /// Closes the socket, because its client does not take the answer.
    pub(crate) fn now(&self) {
        self.hung_up.cancel();
    }

    /// A request begins: its answer must be taken in time.
    fn hurried(&self) {
        self.unhurried.store(false, Ordering::Relaxed);
    }

    /// From here on the client may take its time: what waits for it is bounded elsewhere.
    pub(crate) fn unhurried(&self) {
        self.unhurried.store(true, Ordering::Relaxed);
    }

    fn guard(&self, stream: TcpStream, patience: Duration) -> Steady {
        // Without it small messages wait for each other; an error means that the peer has left.
        let _ = stream.set_nodelay(true);
        Steady::new(stream, patience, Arc::clone(&self.unhurried))
    }
}

/// A socket that was accepted.
struct Socket {
    stream: Steady,
    hang_up: HangUp,
    place: Place,
    crowded: Option<Crowded>,
}

async fn connection(service: LocalService, state: Arc<State>, socket: Socket) {
    let Socket { stream, hang_up, place, crowded } = socket;
    let hung_up = hang_up.hung_up.clone();
    let respond = service_fn(move |mut request: Request<Incoming>| {
        place.leave();
        hang_up.hurried();
        request.extensions_mut().insert(hang_up.clone());
        if let Some(crowded) = crowded {
            request.extensions_mut().insert(crowded);
        }
        service.clone().call(request)
    });
    let head_time = state.shared.limits.request_head_timeout;
    let head_time = if crowded.is_some() { head_time.min(CROWDED_HEAD_TIME) } else { head_time };
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .keep_alive(crowded.is_none())
        .max_buf_size(HEAD_SIZE)
        // What came in one piece with its end may be longer than the buffer.
        .max_header_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), respond)
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let result = tokio::select! {
        result = &mut serving => result,
        () = hung_up.cancelled() => return,
        () = state.stopped.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection ended badly");
    }
}
