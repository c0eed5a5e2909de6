//! The app as a custom handler of Azure Functions.
//!
//! The Functions host calls in two forms. A *forwarded* HTTP trigger is the original request, at its
//! original path, and needs nothing here: signature and seal are checked as everywhere. A
//! *`signalRTrigger`* is a call of its own shape ([`trigger`]), which this module turns back into the
//! upstream request that the service sent.
//!
//! The host has checked a signature then, or has not: with an identity-based connection it checks
//! none, and whatever else reaches the port has checked nothing at all. So the signature and the seal
//! inside of the call are checked here again, by the same code; a call that brings none is refused.

#[cfg_attr(
    not(feature = "functions-bindings"),
    allow(unreachable_pub, reason = "the module `bindings` exports the types")
)]
pub(crate) mod call;
mod trigger;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use hub_net::body::{BodyLimits, ReadError, UnreadBody};
use hyper::ext::ReasonPhrase;

use self::{
    call::FunctionAnswer,
    trigger::{Trigger, TriggerResult},
};
use crate::{
    HubApp,
    config::{self, env},
    shared::Inner,
    upstream::{self, BODY_TIMEOUT, InvocationIds},
};

/// Which invocation of a function this is; on every call of the host.
const INVOCATION_ID: &str = "x-azure-functions-invocationid";
/// How much larger a call may be than the upstream body in it: its headers are written several times.
const ENVELOPE: usize = 256 * 1024;

impl HubApp {
    /// Serves the app as a custom handler of Azure Functions, on the port that the host gives
    /// (`FUNCTIONS_CUSTOMHANDLER_PORT`), for the host alone. [`Self::run`] does so by itself.
    ///
    /// # Errors
    /// When there is no such port, or it is malformed or taken.
    pub async fn serve_functions(&self) -> io::Result<()> {
        let port = config::functions_port(&env::process).map_err(io::Error::other)?;
        let port = port.ok_or_else(|| {
            io::Error::other(format!(
                "{} is not set: the Functions host starts the app and sets it; elsewhere call run()",
                env::FUNCTIONS_PORT
            ))
        })?;
        self.serve_at(self.functions_address(port), self.service()).await
    }

    /// Where the host calls, and that it does.
    pub(crate) fn functions_address(&self, port: u16) -> SocketAddr {
        self.inner.functions_host.store(true, Ordering::Relaxed);
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

/// Whether a request that is nothing else to the app may be a call of the host for a function with
/// bindings: `POST /<function name>`.
pub(crate) fn is_invocation(app: &Inner, parts: &Parts) -> bool {
    app.functions_host.load(Ordering::Relaxed)
        && parts.method == Method::POST
        && parts.headers.contains_key(INVOCATION_ID)
        && parts.uri.path().trim_matches('/').split('/').count() == 1
}

/// Answers a call for a function with a `signalRTrigger`.
pub(crate) async fn handle(app: Arc<Inner>, parts: Parts, body: UnreadBody) -> Response<Bytes> {
    let function = parts.uri.path().trim_matches('/').to_owned();
    let max_bytes = app.upstream.max_body.saturating_add(ENVELOPE);
    let body = match body.read(BodyLimits { max_bytes, timeout: BODY_TIMEOUT }).await {
        Ok(body) => body,
        Err(ReadError::TooLarge) => return failed(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        Err(ReadError::TimedOut) => return failed(StatusCode::REQUEST_TIMEOUT, "too slow"),
        Err(ReadError::Aborted(_)) => {
            return failed(StatusCode::BAD_REQUEST, "the call is not whole");
        }
    };
    let Some(trigger) = Trigger::parse(&body) else {
        tracing::warn!(
            function,
            "a call of the Functions host without the value of a signalRTrigger"
        );
        return failed(StatusCode::NOT_FOUND, "no signalRTrigger");
    };
    // Without a key there is no signature that could hold, and the call brings nothing else to check.
    if app.groups.iter().any(|group| group.without_key) {
        tracing::error!(
            function,
            "a signalRTrigger cannot be verified without an access key: use forwarded HTTP triggers, which `deploy-files` writes"
        );
        return failed(StatusCode::UNAUTHORIZED, "the call cannot be verified");
    }
    let (upstream, upstream_body) = trigger.into_upstream();
    let body = UnreadBody::new(Full::new(upstream_body));
    // The host does not tell the invocation id, so a copy of such a call runs again.
    let answer = upstream::handle(app, upstream, body, InvocationIds::MadeUp).await;
    match trigger::read(&answer) {
        TriggerResult::Value(value) => {
            warn_about_base64(&function, &value);
            let answer = FunctionAnswer { return_value: value, ..FunctionAnswer::default() };
            whole(StatusCode::OK, &answer)
        }
        TriggerResult::Failed(status, text) => failed(status, &text),
    }
}

/// A function that failed. The host reads the status alone; its reason phrase is what the client that
/// waits is shown.
fn failed(status: StatusCode, reason: &str) -> Response<Bytes> {
    let mut answer = whole(status, &FunctionAnswer::new().log(reason));
    // The phrase is a line of ASCII.
    let phrase: String =
        reason.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
    if let Ok(phrase) = ReasonPhrase::try_from(phrase) {
        answer.extensions_mut().insert(phrase);
    }
    answer
}

/// Every answer has a body: without one the host would wait until the function's time is over.
fn whole(status: StatusCode, answer: &FunctionAnswer) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(answer.to_vec()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// The host decodes a text that happens to be base64, and blanks in it are lost.
fn warn_about_base64(function: &str, value: &serde_json::Value) {
    let Some(text) = value.as_str() else { return };
    let dense: String = text.split_ascii_whitespace().collect();
    let decodes = !dense.is_empty()
        && base64::Engine::decode(&base64::engine::general_purpose::STANDARD, dense).is_ok();
    if decodes {
        tracing::warn!(
            function,
            "the Functions host takes this text for base64 and may change it: return an object, or use forwarded HTTP triggers"
        );
    }
}

#[cfg(test)]
mod tests;
