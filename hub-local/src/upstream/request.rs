//! Requests to an upstream.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use hub_core::upstream::WEBHOOK_PATH;

/// A request to the path of upstream calls.
pub(super) fn post(headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(WEBHOOK_PATH);
    *request.headers_mut() = headers;
    request
}
