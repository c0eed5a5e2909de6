//! Connections to the server, with and without TLS.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

use crate::LoadError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

/// An open connection.
pub(crate) struct ByteStream(Box<dyn ReadWrite>);

/// Opens connections, pooled by the HTTP client or owned by a WebSocket.
#[derive(Clone)]
pub(crate) enum Connector {
    Plain(HttpConnector),
    Tls(HttpsConnector<HttpConnector>),
}

impl Connector {
    pub(crate) fn new(url: &Uri) -> Result<Self, LoadError> {
        Self::with_receive_buffer(url, None)
    }

    /// Like [`Self::new`], with a receive buffer of `size` bytes instead of the system default.
    pub(crate) fn with_receive_buffer(url: &Uri, size: Option<usize>) -> Result<Self, LoadError> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_recv_buffer_size(size);
        if url.scheme_str() == Some("http") {
            return Ok(Self::Plain(tcp));
        }
        tcp.enforce_http(false);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|error| LoadError::Tls(error.into()))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self::Tls(tls))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<ByteStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        match self {
            Self::Plain(connector) => {
                let connecting = connector.call(url);
                Box::pin(async move { Ok(boxed(connecting.await?.into_inner())) })
            }
            Self::Tls(connector) => {
                let connecting = connector.call(url);
                Box::pin(async move { Ok(boxed(TokioIo::new(connecting.await?))) })
            }
        }
    }
}

fn boxed(stream: impl ReadWrite + 'static) -> TokioIo<ByteStream> {
    TokioIo::new(ByteStream(Box::new(stream)))
}

impl Connection for ByteStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_urls_need_no_certificates() {
        let url = Uri::from_static("http://127.0.0.1:8888/client/");

        assert!(matches!(Connector::new(&url), Ok(Connector::Plain(_))));
    }
}
