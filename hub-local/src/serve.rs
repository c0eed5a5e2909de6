//! The accept loop: HTTP/1 with upgrades and limits.

use std::{io, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use crate::{
    descriptors::{Crowded, Descriptors},
    service::LocalService,
    state::State,
};

/// Longer than clients keep idle connections.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// The same, for sockets that hold one of the last descriptors.
const CROWDED_HEADER_TIME: Duration = Duration::from_secs(2);
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
    let mut descriptors = Descriptors::new(state.limits.descriptors);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let crowded = descriptors.is_crowded(&stream).then_some(Crowded);
                    let one = connection(service.clone(), Arc::clone(&state), stream, crowded);
                    connections.spawn(one);
                }
                Err(error) => rest(&error).await,
            },
            Some(_) = connections.join_next() => {}
            () = state.stopped.cancelled() => break,
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(state.limits.close, ended).await;
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

/// Ends the HTTP connection of a request, for an answer that its client does not take.
#[derive(Clone, Debug)]
pub(crate) struct HangUp(CancellationToken);

impl HangUp {
    pub(crate) fn now(&self) {
        self.0.cancel();
    }
}

async fn connection(
    service: LocalService,
    state: Arc<State>,
    stream: TcpStream,
    crowded: Option<Crowded>,
) {
    // Without it small messages wait for each other; an error means that the peer has left.
    let _ = stream.set_nodelay(true);
    let hung_up = CancellationToken::new();
    let hang_up = HangUp(hung_up.clone());
    let respond = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(hang_up.clone());
        if let Some(crowded) = crowded {
            request.extensions_mut().insert(crowded);
        }
        service.clone().call(request)
    });
    let header_time = if crowded.is_some() { CROWDED_HEADER_TIME } else { HEADER_TIME };
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_time)
        .keep_alive(crowded.is_none())
        .max_buf_size(HEAD_SIZE)
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
