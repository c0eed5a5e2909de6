//! The endpoints of the inspector, below `/inspector`.
//!
//! The files of the page contain no data, so they need no token. All else needs the token in `Authorization`.

mod act;
mod again;
mod client;
mod error;
mod files;
mod guard;
mod overview;
mod stream;

use std::sync::Arc;

use http::{HeaderValue, Method, Response, StatusCode, header::CACHE_CONTROL, request::Parts};
use hub_net::body::{BodyLimits, UnreadBody};
use serde::de::DeserializeOwned;

use self::{error::Refused, guard::Place};
use crate::{
    body::{self, Body},
    inspect::Inspection,
    state::State,
};

const PREFIX: &str = "/inspector";
/// The largest body of a request.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The run of the service that responds.
const INSTANCE: &str = "x-inspector-instance";

/// Whether a path belongs to the inspector.
pub(crate) fn is_path(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the inspector responds to a path. It checks host and origin itself, and more strictly than the service does.
pub(crate) fn responds_to(state: &State, path: &str) -> bool {
    is_path(path) && state.inspection.as_ref().is_some_and(Inspection::is_open)
}

/// Responds to a request for the inspector. `None` if it is off.
pub(crate) async fn respond(
    state: &Arc<State>,
    parts: &Parts,
    body: UnreadBody,
) -> Option<Response<Body>> {
    let inspection = state.inspection.as_ref().filter(|inspection| inspection.is_open())?;
    let answer = answer(state, inspection, parts, body).await;
    Some(answer.unwrap_or_else(Refused::into_response))
}

async fn answer(
    state: &Arc<State>,
    inspection: &Inspection,
    parts: &Parts,
    body: UnreadBody,
) -> Result<Response<Body>, Refused> {
    let place = guard::place(state, inspection, parts)?;
    let name = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default().trim_start_matches('/');
    if let Some(file) = files::find(name) {
        return match parts.method {
            Method::GET | Method::HEAD => Ok(file.response(&place)),
            _ => Err(Refused::method("GET, HEAD")),
        };
    }
    guard::authorize(inspection, parts, &place)?;
    let mut response = data(state, inspection, parts, body, &place, name).await?;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(instance) = HeaderValue::from_str(&inspection.instance) {
        headers.insert(INSTANCE, instance);
    }
    guard::harden(headers);
    Ok(response)
}

async fn data(
    state: &Arc<State>,
    inspection: &Inspection,
    parts: &Parts,
    body: UnreadBody,
    place: &Place<'_>,
    name: &str,
) -> Result<Response<Body>, Refused> {
    match name {
        "state" => {
            only(parts, &Method::GET)?;
            Ok(overview::respond(state, inspection, parts.uri.query()))
        }
        "events" => {
            only(parts, &Method::GET)?;
            stream::respond(state, inspection, parts)
        }
        "act" => act::respond(state, inspection, read(state, parts, body).await?).await,
        "client" => client::respond(state, place, read(state, parts, body).await?),
        _ => Err(Refused::new(
            StatusCode::NOT_FOUND,
            "the inspector has no such resource",
            "use /inspector/state, /inspector/events, /inspector/act or /inspector/client",
        )),
    }
}

fn only(parts: &Parts, method: &Method) -> Result<(), Refused> {
    if parts.method == *method { Ok(()) } else { Err(Refused::method("GET")) }
}

/// Reads the JSON of a POST.
async fn read<T: DeserializeOwned>(
    state: &State,
    parts: &Parts,
    body: UnreadBody,
) -> Result<T, Refused> {
    if parts.method != Method::POST {
        return Err(Refused::method("POST"));
    }
    guard::json_only(&parts.headers)?;
    let timeout = state.shared.limits.request_body_timeout;
    let limits = BodyLimits { max_bytes: MAX_BODY_BYTES, timeout };
    let bytes = body.read(limits).await.map_err(|error| Refused::body(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Refused::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not the JSON of this request: {error}"),
            "compare the body with docs/inspect.md",
        )
    })
}

/// A response with JSON.
fn json(value: &serde_json::Value) -> Response<Body> {
    body::json(StatusCode::OK, value.to_string())
}
