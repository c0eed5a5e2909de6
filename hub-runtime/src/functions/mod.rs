//! The app as a custom handler of Azure Functions.
//!
//! The Functions host sends two kinds of requests. A *forwarded* HTTP trigger is the original request at
//! its original path; the routes of the app handle it. A *`signalRTrigger`* is a call in the format of the
//! host ([`trigger`]); this module converts it back to the upstream request of the service.
//!
//! The host verifies the signature only with a connection string, not with an identity-based connection,
//! and other processes on the machine can also reach the port. Therefore the app verifies the signature
//! and the seal in each call itself, and refuses calls without them.

#[cfg_attr(
    not(feature = "functions-bindings"),
    allow(unreachable_pub, reason = "the module `bindings` exports the types")
)]
pub(crate) mod call;
mod trigger;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use hub_net::{
    body::{BodyLimits, ReadError, UnreadBody},
    log_limit::shown,
};
use hyper::ext::ReasonPhrase;

use self::{
    call::FunctionAnswer,
    trigger::{Trigger, TriggerResult},
};
use crate::{
    HubApp, ServeError,
    call_connections::Connections,
    config::{self, env},
    host,
    shared::Inner,
    upstream::{self, BODY_TIMEOUT, InvocationIds},
};

/// The id of the invocation. The host sets this header on all requests, also on those that it passes on.
const INVOCATION_ID: &str = "x-azure-functions-invocationid";
/// The host sets this header, in addition, on all requests that it passes on as a proxy (`HttpProxyCorrelationHeader` of
/// azure-functions-host).
const PROXIED_ID: &str = "x-ms-invocation-id";
/// The maximum number of bytes that a call adds to the upstream body. A call contains the headers of the
/// upstream request several times.
const MAX_ENVELOPE_BYTES: usize = 256 * 1024;

impl HubApp {
    /// Serves the app as a custom handler of Azure Functions, on loopback and the port
    /// `FUNCTIONS_CUSTOMHANDLER_PORT`. [`Self::run`] detects this host.
    ///
    /// # Errors
    /// When the port is not set, malformed or in use.
    pub async fn serve_functions(&self) -> Result<(), ServeError> {
        let port = config::functions_port(&env::process)
            .map_err(|error| host::failed(error.to_string()))?;
        let port = port.ok_or_else(|| {
            host::failed(format!(
                "{} is not set: the Functions host sets it when it starts the app; on other hosts call run()",
                env::FUNCTIONS_PORT
            ))
        })?;
        let (address, connections) = (self.functions_address(port), Connections::default());
        self.serve_at(address, host::FUNCTIONS_PORT, self.service(), connections).await
    }

    /// Enables calls of the Functions host, and returns the address for them.
    pub(crate) fn functions_address(&self, port: u16) -> SocketAddr {
        self.inner.functions_host.store(true, Ordering::Relaxed);
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

/// Whether a request without a route is a call of the host for a function with bindings:
/// `POST /<function name>`. A request that the host passes on as a proxy is none: its path and body are the caller's.
pub(crate) fn is_invocation(app: &Inner, parts: &Parts) -> bool {
    app.functions_host.load(Ordering::Relaxed)
        && parts.method == Method::POST
        && parts.headers.contains_key(INVOCATION_ID)
        && !parts.headers.contains_key(PROXIED_ID)
        && parts.uri.path().trim_matches('/').split('/').count() == 1
}

/// Handles a call for a function with a `signalRTrigger`.
pub(crate) async fn handle(app: Arc<Inner>, parts: Parts, body: UnreadBody) -> Response<Bytes> {
    let function = parts.uri.path().trim_matches('/').to_owned();
    // A call contains no code, because the URL of the upstream request does not reach the app. A request of any caller that the
    // host forwards has the same headers as a call. Therefore both are refused before the body is read.
    if app.routes.has_code() {
        app.log.line("trigger with a code", |omitted| {
            let function = &*shown(&function);
            tracing::warn!(
                function,
                omitted,
                "call of a function refused, because the app requires an upstream code, which calls of a signalRTrigger do not contain: for an app with triggers, remove the code"
            );
        });
        return failed(StatusCode::UNAUTHORIZED, "the call has no upstream code");
    }
    let max_bytes = app.upstream.max_body.saturating_add(MAX_ENVELOPE_BYTES);
    let body = match body.read(BodyLimits { max_bytes, timeout: BODY_TIMEOUT }).await {
        Ok(body) => body,
        Err(ReadError::TooLarge) => return failed(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        Err(ReadError::TimedOut) => return failed(StatusCode::REQUEST_TIMEOUT, "too slow"),
        Err(ReadError::Aborted(_)) => {
            return failed(StatusCode::BAD_REQUEST, "the body is incomplete");
        }
    };
    let Some(trigger) = Trigger::parse(&body) else {
        app.log.line("no trigger", |omitted| {
            let function = &*shown(&function);
            tracing::warn!(
                function,
                omitted,
                "call of the Functions host without a signalRTrigger"
            );
        });
        return failed(StatusCode::NOT_FOUND, "no signalRTrigger");
    };
    // Without an access key the service does not sign calls, and a call contains no other proof.
    if app.groups.iter().any(|group| group.without_key) {
        app.log.line("trigger without key", |omitted| {
            tracing::error!(
            function = &*shown(&function),
            omitted,
            "a signalRTrigger cannot be verified without an access key: use forwarded HTTP triggers, which `deploy-files` writes"
        );
        });
        return failed(StatusCode::UNAUTHORIZED, "the call cannot be verified");
    }
    let (upstream, upstream_body) = trigger.into_upstream();
    let (headers, body) = (upstream.headers, Full::new(upstream_body));
    // The host does not pass on the invocation id, so a repeated call without a request id runs again.
    let answer = upstream::handle(app, headers, body, InvocationIds::MadeUp, || false).await;
    match trigger::read(&answer) {
        TriggerResult::Value(value) => {
            warn_about_base64(&function, &value);
            let answer = FunctionAnswer { return_value: value, ..FunctionAnswer::default() };
            whole(StatusCode::OK, &answer)
        }
        TriggerResult::Failed(status, text) => failed(status, &text),
    }
}

/// The response for a failed function. The host ignores the body; the client that invoked the method
/// receives the reason phrase as the error.
fn failed(status: StatusCode, reason: &str) -> Response<Bytes> {
    let mut answer = whole(status, &FunctionAnswer::new().log(reason));
    // A reason phrase is one line of ASCII (RFC 9112, section 4).
    let phrase: String =
        reason.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
    if let Ok(phrase) = ReasonPhrase::try_from(phrase) {
        answer.extensions_mut().insert(phrase);
    }
    answer
}

/// A response with a body. Without a body the host waits for the timeout of the function.
fn whole(status: StatusCode, answer: &FunctionAnswer) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(answer.to_vec()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Warns about a result that the host may change: the host decodes strings that are valid base64, and
/// removes whitespace from them.
fn warn_about_base64(function: &str, value: &serde_json::Value) {
    let Some(text) = value.as_str() else { return };
    let dense: String = text.split_ascii_whitespace().collect();
    let decodes = !dense.is_empty()
        && base64::Engine::decode(&base64::engine::general_purpose::STANDARD, dense).is_ok();
    if decodes {
        tracing::warn!(
            function,
            "the result is valid base64, so the Functions host may change it: return an object, or use forwarded HTTP triggers"
        );
    }
}

#[cfg(test)]
mod tests;
