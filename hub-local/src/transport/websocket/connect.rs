//! Responds to WebSocket requests: opens a connection or resumes one (stateful reconnect).

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::{
    resume::{Readiness, Resumption, sink::ResumableSink, source::ResumableSource},
    upgrade,
};
use crate::{
    body::{self, Body},
    connection::{life, link::Transport},
    state::State,
    transport::{
        admission::{self, Admission, AdmissionError, ClientRequest, Principal, Session},
        negotiations::{OpenTransport, TokenState},
    },
};

/// Responds to a WebSocket request. `upgrading` resolves to the stream of the request.
pub(in crate::transport) fn connect(
    state: &Arc<State>,
    request: ClientRequest<'_>,
    principal: Principal,
    headers: &HeaderMap,
    upgrading: OnUpgrade,
) -> Result<Response<Body>, AdmissionError> {
    let response = match upgrade::switch(headers) {
        Ok(switching) => switching,
        Err(refusal) => return Ok(*refusal),
    };
    let Some(session) = admission::find(state, request, &principal)? else {
        let admission =
            admission::admit_directly(state, request, principal, Transport::WebSockets)?;
        open(state, admission, upgrading, None);
        return Ok(response);
    };
    match &session.state {
        TokenState::Pending => {}
        TokenState::Open(OpenTransport::WebSocket(resumption)) => {
            return again(state, resumption.as_ref(), upgrading, response);
        }
        TokenState::Open(OpenTransport::ServerSentEvents(_) | OpenTransport::LongPolling(_)) => {
            return Err(AdmissionError::transport_changed());
        }
        TokenState::Ended => return Err(AdmissionError::gone()),
    }
    begin(state, request, principal, session, upgrading)?;
    Ok(response)
}

fn begin(
    state: &Arc<State>,
    request: ClientRequest<'_>,
    principal: Principal,
    session: Session,
    upgrading: OnUpgrade,
) -> Result<(), AdmissionError> {
    let resumption = session.resumes().then(Arc::<Resumption>::default);
    let transport = OpenTransport::WebSocket(resumption.clone());
    let admission = admission::admit(state, request, principal, session, transport)?;
    open(state, admission, upgrading, resumption);
    Ok(())
}

fn open(
    state: &Arc<State>,
    admission: Admission,
    upgrading: OnUpgrade,
    resumption: Option<Arc<Resumption>>,
) {
    let (connection, lease) = admission.open();
    state.shared.tasks.spawn(async move {
        let stream = match upgrading.await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "the client disconnected before the WebSocket was open");
                return;
            }
        };
        match resumption {
            None => super::run(connection, stream).await,
            Some(resumption) => {
                let (read, write) = tokio::io::split(TokioIo::new(stream));
                let (one, other) = (Arc::clone(&connection), Arc::clone(&resumption));
                let mut source = ResumableSource::new(one, other, read);
                let mut sink = ResumableSink::new(Arc::clone(&connection), resumption, write);
                // Boxed: this future is large and rare, and must not enlarge the future of every connection.
                let running = async move { life::run(connection, &mut source, &mut sink).await };
                Box::pin(running).await;
            }
        }
        drop(lease);
    });
}

/// Responds to another WebSocket request for a connection that is already open.
fn again(
    state: &Arc<State>,
    resumption: Option<&Arc<Resumption>>,
    upgrading: OnUpgrade,
    response: Response<Body>,
) -> Result<Response<Body>, AdmissionError> {
    let resumption = match resumption.map(|it| (it, it.readiness())) {
        None | Some((_, Readiness::Undecided)) => {
            return Err(AdmissionError::in_use());
        }
        Some((_, Readiness::Declined)) => return Ok(body::plain(StatusCode::NO_CONTENT, "")),
        Some((resumption, Readiness::Ready)) => Arc::clone(resumption),
    };
    state.shared.tasks.spawn(async move {
        match upgrading.await {
            Ok(stream) => resumption.take_over(TokioIo::new(stream)),
            Err(error) => {
                tracing::debug!(%error, "the client disconnected before it resumed the connection");
            }
        }
    });
    Ok(response)
}
