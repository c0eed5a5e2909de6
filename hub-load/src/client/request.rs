//! HTTP requests over pooled connections.

use bytes::Bytes;
use http::{Response, header::AUTHORIZATION, request};
use http_body_util::{BodyExt as _, Full, Limited};
use hub_core::Secret;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};

use super::connector::Connector;
use crate::LoadError;

/// Maximum response body in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;
/// Maximum number of bytes of an error response that are shown.
const SHOWN_BYTES: usize = 200;

/// Pooled HTTP client, shared by all clients of a run.
pub(crate) type HttpClient = Client<Connector, Full<Bytes>>;

pub(crate) fn http_client(connector: Connector) -> HttpClient {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}

/// Sends a request and returns an error for any status but 2xx. `what` is the name of the request in the
/// error.
pub(crate) async fn send(
    client: &HttpClient,
    what: &'static str,
    mut request: request::Builder,
    token: Option<&Secret>,
    body: impl Into<Bytes>,
) -> Result<Response<Incoming>, LoadError> {
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    let request = request.body(Full::new(body.into())).map_err(LoadError::protocol)?;
    let response = client.request(request).await.map_err(LoadError::connect)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = read_body(response).await?;
    let text = String::from_utf8_lossy(body.get(..SHOWN_BYTES).unwrap_or(&body)).into_owned();
    Err(LoadError::Status { what, status: status.as_u16(), text })
}

pub(crate) async fn read_body(response: Response<Incoming>) -> Result<Bytes, LoadError> {
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    Ok(body.map_err(LoadError::Connect)?.to_bytes())
}
