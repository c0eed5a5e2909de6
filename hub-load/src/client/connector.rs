//! Connections to the server, with and without TLS.

use std::sync::Arc;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tower_service::Service as _;

use crate::LoadError;

const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Opens connections. The HTTP client pools them, or a WebSocket owns them.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// An open connection.
pub(crate) type ByteStream = TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// Creates a connector for URLs with the scheme of `url`. `receive_buffer` is in bytes; `None` stands for
/// the system's default.
pub(crate) fn connector(url: &Uri, receive_buffer: Option<usize>) -> Result<Connector, LoadError> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_recv_buffer_size(receive_buffer);
    let builder = HttpsConnectorBuilder::new();
    let builder = if url.scheme_str() == Some("http") {
        // Load no certificates, because a container may not have any. `tcp` refuses `https` URLs.
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| LoadError::Tls(error.into()))?;
        let config = config.with_root_certificates(RootCertStore::empty());
        builder.with_tls_config(config.with_no_client_auth())
    } else {
        tcp.enforce_http(false);
        builder
            .with_provider_and_platform_verifier(default_provider())
            .map_err(|error| LoadError::Tls(error.into()))?
    };
    Ok(builder.https_or_http().enable_http1().wrap_connector(tcp))
}

/// Opens a connection outside the pool.
pub(crate) async fn connect(connector: &Connector, url: &Uri) -> Result<ByteStream, LoadError> {
    let stream = connector.clone().call(url.clone()).await.map_err(LoadError::Connect)?;
    Ok(TokioIo::new(stream))
}

/// Reads the head of a response and returns the status and the head. `input` contains the bytes that were
/// read before. When this function returns, `input` contains the bytes after the head.
pub(crate) async fn read_head(
    stream: &mut ByteStream,
    input: &mut Vec<u8>,
) -> Result<(u16, String), LoadError> {
    let end = loop {
        if let Some(at) = memchr::memmem::find(input, b"\r\n\r\n") {
            break at + 4;
        }
        if input.len() > MAX_HEAD_BYTES {
            return Err(LoadError::protocol("the head of a response is too long"));
        }
        read_more(stream, input).await?;
    };
    let rest = input.split_off(end);
    let head = String::from_utf8_lossy(&std::mem::replace(input, rest)).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| LoadError::protocol("the response is not HTTP"))?;
    Ok((status, head))
}

/// Waits for more bytes and appends them to `input`.
pub(crate) async fn read_more(
    stream: &mut ByteStream,
    input: &mut Vec<u8>,
) -> Result<(), LoadError> {
    match stream.read_buf(input).await.map_err(LoadError::connect)? {
        0 => Err(LoadError::closed()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_urls_need_no_certificates() {
        let url = Uri::from_static("http://127.0.0.1:8888/client/");

        assert!(connector(&url, None).is_ok());
    }
}
