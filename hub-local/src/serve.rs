//! The accept loop: HTTP/1 with upgrades and limits.

use std::{io, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{service::LocalService, state::State};

/// Longer than clients keep idle connections.
const HEADER_TIME: Duration = Duration::from_secs(30);
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
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let one = connection(service.clone(), Arc::clone(&state), stream);
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

async fn connection(service: LocalService, state: Arc<State>, stream: TcpStream) {
    // Without it small messages wait for each other; an error means that the peer has left.
    let _ = stream.set_nodelay(true);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let result = tokio::select! {
        result = &mut serving => result,
        () = state.stopped.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection ended badly");
    }
}
