//! The accept loop: HTTP/1 with upgrades and limits.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hub_core::secret_rule::Reach;
use hub_net::{
    connection::{RequestLimits, ServedBody, UnreadBodies, serve_connection},
    idle_sockets::IdleSocket,
    listen::pause_after_failed_accept,
    refusal::Refusal,
    serve_error::ServeError,
    stall_timeout::StallTimeout,
};
use hyper::service::service_fn;
use tokio::{
    net::TcpListener,
    task::{JoinSet, yield_now},
    time::timeout,
};

use crate::{
    access::HostCheck,
    descriptors::{Descriptors, LowDescriptors},
    inspector,
    service::LocalService,
    socket_control::SocketControl,
    state::State,
};

/// The timeout of a request head, and of a body that is not read, on sockets that use a reserved file
/// descriptor.
const LOW_DESCRIPTORS_TIMEOUT: Duration = Duration::from_secs(2);
/// Clients send tokens in URLs, so a client's request head may be longer than the head of a REST call
/// (16 KiB).
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Binds a listener for [`LocalService::serve`].
///
/// # Errors
/// When the address cannot be bound.
///
/// # Panics
/// Outside a Tokio runtime.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bound = hub_net::listen::listen(address);
    bound.map_err(|error| {
        ServeError::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

/// Accepts connections until the service has stopped. Dropping the future closes its HTTP connections, but
/// upgraded WebSockets stay open.
pub(crate) async fn serve(
    service: LocalService,
    state: Arc<State>,
    listener: TcpListener,
) -> Result<(), ServeError> {
    let reach = Reach::of(listener.local_addr()?.ip());
    let public_url = state.authority.public_url();
    state.access.check_keys(&state.authority, &public_url, reach)?;
    state.check_inspector(reach);
    let check = match reach {
        Reach::Loopback => HostCheck::Always,
        Reach::Beyond => HostCheck::WithWellKnownKey,
    };
    let mut connections = JoinSet::new();
    let descriptors = Descriptors::new(state.shared.limits.max_file_descriptors);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let low_descriptors = descriptors.is_reserved(&stream).then_some(LowDescriptors);
                    let control = SocketControl::default();
                    let (idle, evicted) = state.idle_sockets.add(control.closed.clone());
                    let stream = control.guard(stream, state.shared.limits.response_stall_timeout);
                    let socket = Socket { stream, control, idle, low_descriptors, check };
                    connections.spawn(connection(service.clone(), Arc::clone(&state), socket));
                    if evicted > 0 {
                        // Evicted sockets close when their tasks run, which frees their descriptors.
                        yield_now().await;
                    }
                }
                Err(error) => pause_after_failed_accept(&error).await,
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

/// An accepted socket.
struct Socket {
    stream: StallTimeout,
    control: SocketControl,
    idle: IdleSocket,
    low_descriptors: Option<LowDescriptors>,
    check: HostCheck,
}

async fn connection(service: LocalService, state: Arc<State>, socket: Socket) {
    let Socket { stream, control, idle, low_descriptors, check } = socket;
    let closed = control.closed.clone();
    let respond = service_fn(move |mut request: Request<ServedBody>| {
        idle.requested();
        control.resume_stall_timeout();
        request.extensions_mut().insert(control.clone());
        if let Some(low_descriptors) = low_descriptors {
            request.extensions_mut().insert(low_descriptors);
        }
        service.answer(request, None)
    });
    let checking = Arc::clone(&state);
    let refuse = move |request: &Request<ServedBody>, host: Option<&str>| {
        if inspector::responds_to(&checking, request.uri().path()) {
            return None;
        }
        let refused = checking.access.refusal(request.headers(), host, check, &checking.authority);
        refused.map(|(status, refused)| {
            checking.record_foreign(status, &refused);
            Refusal { status, text: refused.text }
        })
    };
    let limits = &state.shared.limits;
    let longest = low_descriptors.map_or(Duration::MAX, |_| LOW_DESCRIPTORS_TIMEOUT);
    let head_timeout = limits.request_head_timeout.min(longest);
    let sockets = Arc::clone(&state.idle_sockets);
    let unread = UnreadBodies { sockets, timeout: limits.request_body_timeout.min(longest) };
    let http = RequestLimits {
        head_timeout,
        max_buffer: MAX_HEAD_BYTES,
        // The size of the buffer is checked only between reads: a head that arrives in one read can be longer.
        max_head: Some(MAX_HEAD_BYTES),
        keep_alive: low_descriptors.is_none(),
    };
    let stop = &state.stopped;
    serve_connection(http, stream, respond, refuse, unread, stop, closed.cancelled()).await;
}
