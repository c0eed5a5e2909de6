//! The baselines for upstream calls: hyper alone, with a handler that reads the body and returns a constant, and with
//! a handler that does what the protocol requires.

use std::{convert::Infallible, io};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hub_core::{Secret, signature};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::call::{ANSWER, KEY};

/// Reads the body without parsing it, and returns the same answer as the app.
///
/// # Errors
/// Never.
pub async fn handle<B: Body>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    // hyper closes the connection after an error in the body.
    let _ = request.into_body().collect().await.map(|body| body.to_bytes());
    Ok(answer(Bytes::from_static(ANSWER.as_bytes())))
}

/// Does what the protocol requires of any app and language, and nothing else: verifies the signature of the connection
/// id, which is one HMAC, reads the invocation, and writes its completion. It has no seal, no caller, no routes, no
/// filters, no cancellation, no detection of repetitions, no timeouts and no telemetry, and a panic is not caught.
///
/// # Errors
/// Never.
pub async fn handle_as_required<B: Body>(
    request: Request<B>,
    keys: &[Secret],
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let id = head.headers.get("x-asrs-connection-id").map_or(&[][..], HeaderValue::as_bytes);
    let signatures = head.headers.get_all("x-asrs-signature").iter().map(HeaderValue::as_bytes);
    if !str::from_utf8(id).is_ok_and(|id| signature::verify(signatures, id, keys)) {
        return Ok(refusal(StatusCode::UNAUTHORIZED));
    }
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        return Ok(refusal(StatusCode::BAD_REQUEST));
    };
    Ok(completion(&body).map_or_else(|| refusal(StatusCode::BAD_REQUEST), answer))
}

/// The completion of an invocation of `add`.
fn completion(body: &[u8]) -> Option<Bytes> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Invocation<'a> {
        invocation_id: &'a str,
        target: &'a str,
        arguments: (i64, &'a str),
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Completion<'a> {
        r#type: u8,
        invocation_id: &'a str,
        result: usize,
    }
    let call: Invocation<'_> = serde_json::from_slice(body).ok()?;
    let (left, right) = call.arguments;
    let result = usize::try_from(left).ok()? + right.len();
    let completion = Completion { r#type: 3, invocation_id: call.invocation_id, result };
    let mut text = (call.target == "add").then(|| serde_json::to_vec(&completion).ok())??;
    text.push(0x1E);
    Some(text.into())
}

fn answer(body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(body));
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

fn refusal(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// Serves [`handle`] with hyper only, until accepting a connection fails.
///
/// # Errors
/// When the port is in use, or accepting a connection fails.
pub async fn serve(port: u16) -> io::Result<()> {
    serve_with(port, handle).await
}

/// Serves [`handle_as_required`] with hyper only, until accepting a connection fails.
///
/// # Errors
/// When the port is in use, or accepting a connection fails.
pub async fn serve_as_required(port: u16) -> io::Result<()> {
    // The process serves until it ends.
    let keys: &'static [Secret] = vec![Secret::from(KEY)].leak();
    serve_with(port, move |request| handle_as_required(request, keys)).await
}

async fn serve_with<H, F>(port: u16, handler: H) -> io::Result<()>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(handler.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call;

    #[tokio::test]
    async fn the_required_work_includes_signature_and_arguments() {
        let keys = [Secret::from(KEY)];
        let answered = async |headers: &[(&'static str, String)], body: &'static str| {
            let request = call::request(headers).unwrap().map(|_| Full::new(Bytes::from(body)));
            let (head, body) = handle_as_required(request, &keys).await.unwrap().into_parts();
            (head.status, body.collect().await.unwrap().to_bytes())
        };
        let mut headers = call::headers();

        assert_eq!(answered(&headers, call::BODY).await, (StatusCode::OK, ANSWER.into()));
        assert_eq!(answered(&headers, "{}").await.0, StatusCode::BAD_REQUEST);
        headers.retain(|(name, _)| *name != "x-asrs-signature");
        assert_eq!(answered(&headers, call::BODY).await.0, StatusCode::UNAUTHORIZED);
    }
}
