//! The HTTP client of upstream calls: pooled, without redirects, guarded.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::GaiResolver},
    },
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    UpstreamError,
    guard::{self, GuardedResolver, RefusedAddress},
};

/// Shorter than servers keep idle connections, so that none is used while it is being closed.
const IDLE: Duration = Duration::from_secs(20);
const CONNECT_TIME: Duration = Duration::from_secs(10);

type Connector = HttpConnector<GuardedResolver<GaiResolver>>;

/// Connections to the app. The pool repeats a request only if no byte of it was written, because a
/// kept connection had been closed.
pub(super) struct UpstreamClient {
    plain: Client<Connector, Full<Bytes>>,
    /// Made with the first call that needs it: it reads the certificates of the system.
    #[cfg(feature = "https")]
    secure: std::sync::OnceLock<Client<hyper_rustls::HttpsConnector<Connector>, Full<Bytes>>>,
}

impl UpstreamClient {
    pub(super) fn new() -> Self {
        Self {
            plain: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector()),
            #[cfg(feature = "https")]
            secure: std::sync::OnceLock::new(),
        }
    }

    /// Sends one request and waits for the head of the answer.
    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Incoming>, UpstreamError> {
        // The connector asks its resolver about names only.
        if request.uri().host().is_none_or(guard::is_refused_literal) {
            return Err(UpstreamError::Unreachable(Box::new(RefusedAddress)));
        }
        let request = request.map(Full::new);
        #[cfg(feature = "https")]
        if request.uri().scheme_str() == Some("https") {
            let client = self.secure()?;
            return client.request(request).await.map_err(unreachable);
        }
        self.plain.request(request).await.map_err(unreachable)
    }

    #[cfg(feature = "https")]
    fn secure(
        &self,
    ) -> Result<&Client<hyper_rustls::HttpsConnector<Connector>, Full<Bytes>>, UpstreamError> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let mut tcp = connector();
        tcp.enforce_http(false);
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|error| UpstreamError::Unreachable(Box::new(error)))?
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(tls);
        Ok(self.secure.get_or_init(|| client))
    }
}

fn connector() -> Connector {
    let mut connector = HttpConnector::new_with_resolver(GuardedResolver(GaiResolver::new()));
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIME));
    connector
}

fn unreachable(error: hyper_util::client::legacy::Error) -> UpstreamError {
    UpstreamError::Unreachable(Box::new(error))
}
