//! The baseline for upstream calls: a handler that reads the body and returns a constant.

use std::{convert::Infallible, io};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Body, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::call::ANSWER;

/// Reads the body without parsing it, and returns the same answer as the app.
///
/// # Errors
/// Never.
pub async fn handle<B: Body>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    // hyper closes the connection after an error in the body.
    let _ = request.into_body().collect().await.map(|body| body.to_bytes());
    let mut answer = Response::new(Full::from(Bytes::from_static(ANSWER.as_bytes())));
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(answer)
}

/// Serves [`handle`] with hyper only, until accepting a connection fails.
///
/// # Errors
/// When the port is in use, or accepting a connection fails.
pub async fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle)),
        );
    }
}
