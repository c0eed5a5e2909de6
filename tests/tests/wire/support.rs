//! An app whose SignalR service is unreachable, and upstream requests built by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use hub_core::seal::{self, Identity, SealKey};
use hub_runtime::{Hub, HubApp, HubAppBuilder, SignalR};
pub(crate) use test_support::{AppResponse, KEY, SIGNATURE, answer};

/// A builder of an app with one hub, for the service at `endpoint`.
pub(crate) fn builder_at<H: Hub>(endpoint: &str, hub: H) -> HubAppBuilder {
    test_support::output::record();
    let text = format!("Endpoint={endpoint};AccessKey={KEY};Version=1.0;");
    HubApp::builder().signalr(SignalR::from_connection_string(&text).unwrap()).hub(hub)
}

/// An app with one hub and an unreachable service.
pub(crate) fn app<H: Hub>(hub: H) -> HubApp {
    builder_at("http://127.0.0.1:1", hub).build().unwrap()
}

/// An upstream request with a valid signature. A test can replace each header.
pub(crate) fn call(category: &str, event: &str, body: &str) -> Request<Full<Bytes>> {
    Request::post("/runtime/webhooks/signalr")
        .header("X-ASRS-Connection-Id", "conn-0001")
        .header("X-ASRS-Hub", "loop")
        .header("X-ASRS-Category", category)
        .header("X-ASRS-Event", event)
        .header("X-ASRS-Signature", SIGNATURE)
        .header("Content-Type", "application/json")
        .body(Full::from(body.to_owned()))
        .unwrap()
}

/// The claims header of a client without a user id, with the seal of a `negotiate` with this access key.
pub(crate) fn sealed_claims(hub: &str, key: &str) -> HeaderValue {
    let claims = std::iter::empty().collect();
    let identity = Identity { hub: hub.to_owned(), user_id: None, issued_at: 0, claims };
    let seal = seal::seal(&identity, &SealKey::derive(&key.into()));
    HeaderValue::try_from(format!("shub: {seal}")).unwrap()
}

/// The same calls by a client of a hub with a `negotiate`: with the seal of a client without a user id.
pub(crate) mod sealed {
    use super::{Bytes, Full, KEY, Request, sealed_claims};

    pub(crate) fn call(category: &str, event: &str, body: &str) -> Request<Full<Bytes>> {
        with_seal(super::call(category, event, body))
    }

    pub(crate) fn invoke(event: &str, arguments: &str) -> Request<Full<Bytes>> {
        with_seal(super::invoke(event, arguments))
    }

    fn with_seal(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        request.headers_mut().insert("x-asrs-user-claims", sealed_claims("loop", KEY));
        request
    }
}

/// A hub method call by a client that waits for the result. Each call has its own invocation id.
pub(crate) fn invoke(event: &str, arguments: &str) -> Request<Full<Bytes>> {
    static NUMBER: AtomicU64 = AtomicU64::new(100);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    invoke_as(&number.to_string(), event, arguments)
}

/// Like [`invoke`], with the given invocation id.
pub(crate) fn invoke_as(id: &str, event: &str, arguments: &str) -> Request<Full<Bytes>> {
    let body =
        format!(r#"{{"type":1,"invocationId":"{id}","target":"{event}","arguments":{arguments}}}"#);
    call("messages", event, &body)
}

/// A hub method call by a client that does not wait for a result.
pub(crate) fn send(event: &str, arguments: &str) -> Request<Full<Bytes>> {
    let body = format!(r#"{{"type":1,"target":"{event}","arguments":{arguments}}}"#);
    call("messages", event, &body)
}

/// Returns the error text of the completion that answers `request`.
pub(crate) async fn error_of(app: &HubApp, request: Request<Full<Bytes>>) -> String {
    let answer = answer(app, request).await;
    assert_eq!(answer.status, StatusCode::OK);
    let record = answer.body.strip_suffix('\u{1e}').expect("a framed completion");
    let completion: serde_json::Value = serde_json::from_str(record).unwrap();
    assert_eq!(completion["type"], 3);
    assert!(completion["invocationId"].is_string());
    completion["error"].as_str().expect("an error").to_owned()
}
