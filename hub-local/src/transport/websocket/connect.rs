//! From a client's request to a connection over a WebSocket, a new one or one that resumes.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::{
    resume::{Readiness, ResumableSink, ResumableSource, Resumption},
    upgrade,
};
use crate::{
    body::{self, Body},
    connection,
    state::State,
    transport::{
        Transport,
        admission::{self, Admission, Asked, Guest, Known, Refused},
        http_requests::changed,
        negotiations::{Found, Open},
    },
};

/// Answers a request that asks for a WebSocket. `upgrading` is the stream that it becomes.
pub(in crate::transport) fn connect(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: Guest,
    headers: &HeaderMap,
    upgrading: OnUpgrade,
) -> Result<Response<Body>, Refused> {
    let response = match upgrade::switch(headers) {
        Ok(switching) => switching,
        Err(refusal) => return Ok(*refusal),
    };
    let Some(known) = admission::find(state, asked, &guest)? else {
        let admission = admission::admit_directly(state, asked, guest, Transport::WebSockets)?;
        open(state, admission, upgrading, None);
        return Ok(response);
    };
    match &known.found {
        Found::Waiting => {}
        Found::Open(Open::WebSocket(resumption)) => {
            return again(state, resumption.as_ref(), upgrading, response);
        }
        Found::Open(Open::ServerSentEvents(_) | Open::LongPolling(_)) => return Err(changed()),
        Found::Over => return Err(Refused::new(StatusCode::NOT_FOUND, "")),
    }
    begin(state, asked, guest, known, upgrading)?;
    Ok(response)
}

fn begin(
    state: &Arc<State>,
    asked: Asked<'_>,
    guest: Guest,
    known: Known,
    upgrading: OnUpgrade,
) -> Result<(), Refused> {
    let resumption = known.resumes().then(Arc::<Resumption>::default);
    let way = Open::WebSocket(resumption.clone());
    let admission = admission::admit(state, asked, guest, known, way)?;
    open(state, admission, upgrading, resumption);
    Ok(())
}

fn open(
    state: &Arc<State>,
    admission: Admission,
    upgrading: OnUpgrade,
    resumption: Option<Arc<Resumption>>,
) {
    state.tasks.spawn(async move {
        let (connection, place) = admission.open();
        let stream = match upgrading.await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "a client left before it was let in");
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
                // Bigger than others, and rare: not in the future of every connection.
                let running =
                    async move { connection::run(connection, &mut source, &mut sink).await };
                Box::pin(running).await;
            }
        }
        drop(place);
    });
}

/// Another WebSocket with the id of a connection that is open.
fn again(
    state: &Arc<State>,
    resumption: Option<&Arc<Resumption>>,
    upgrading: OnUpgrade,
    response: Response<Body>,
) -> Result<Response<Body>, Refused> {
    let resumption = match resumption.map(|it| (it, it.readiness())) {
        None | Some((_, Readiness::Undecided)) => {
            return Err(Refused::new(StatusCode::CONFLICT, ""));
        }
        Some((_, Readiness::Declined)) => return Ok(body::plain(StatusCode::NO_CONTENT, "")),
        Some((resumption, Readiness::Ready)) => Arc::clone(resumption),
    };
    state.tasks.spawn(async move {
        match upgrading.await {
            Ok(stream) => resumption.take_over(TokioIo::new(stream)),
            Err(error) => tracing::debug!(%error, "a client left before it resumed"),
        }
    });
    Ok(response)
}
