//! How a REST request travels: over pooled HTTP, or straight into the embedded service.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hub_core::SendError;

/// The largest answer that is read. Only group lists and client results have one at all.
#[cfg(any(feature = "rest", feature = "local"))]
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Carries one request to the service and its answer back.
#[async_trait]
pub(crate) trait Transport: Send + Sync {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError>;
}

#[cfg(feature = "rest")]
pub(crate) use self::http_client::transport as http;

#[cfg(feature = "rest")]
mod http_client {
    use std::{sync::Arc, time::Duration};

    use http_body_util::{BodyExt, Full, Limited};
    use hyper_rustls::HttpsConnectorBuilder;
    use hyper_util::{
        client::legacy::{
            Client,
            connect::{Connect, HttpConnector},
        },
        rt::{TokioExecutor, TokioTimer},
    };

    use super::{Bytes, MAX_ANSWER, Request, Response, SendError, Transport, async_trait};

    /// Shorter than what load balancers keep, so that a pooled connection is seldom a dead one.
    const IDLE: Duration = Duration::from_secs(20);
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// Pooled HTTP/1.1. Redirects are not followed.
    struct HttpTransport<C> {
        client: Client<C, Full<Bytes>>,
    }

    /// A transport for endpoints with or without TLS. TLS is not even set up where no endpoint asks
    /// for it, so that a container without certificates can talk to a service beside it.
    pub(crate) fn transport(
        needs_tls: bool,
    ) -> Result<Arc<dyn Transport>, Box<dyn std::error::Error + Send + Sync>> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        if !needs_tls {
            return Ok(Arc::new(HttpTransport::new(tcp)));
        }
        tcp.enforce_http(false);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(rustls::crypto::aws_lc_rs::default_provider())?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Arc::new(HttpTransport::new(tls)))
    }

    impl<C: Connect + Clone + Send + Sync + 'static> HttpTransport<C> {
        fn new(connector: C) -> Self {
            // The pool's own retry stays on: it repeats only requests of which no byte was written.
            let client = Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE)
                .pool_timer(TokioTimer::new())
                .build(connector);
            Self { client }
        }
    }

    #[async_trait]
    impl<C: Connect + Clone + Send + Sync + 'static> Transport for HttpTransport<C> {
        async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
            let answer = self
                .client
                .request(request.map(Full::new))
                .await
                // Without a connection no byte was written; later nobody knows.
                .map_err(|error| match error.is_connect() {
                    true => SendError::Unreachable(error.into()),
                    false => SendError::Interrupted(error.into()),
                })?;
            let (parts, body) = answer.into_parts();
            let body =
                Limited::new(body, MAX_ANSWER).collect().await.map_err(SendError::Interrupted)?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        }
    }
}

#[cfg(feature = "local")]
pub(crate) use self::embedded::EmbeddedTransport;

#[cfg(feature = "local")]
mod embedded {
    use http_body_util::{BodyExt, Full, Limited};
    use hub_local::LocalService;
    use tower_service::Service;

    use super::{Bytes, MAX_ANSWER, Request, Response, SendError, Transport, async_trait};

    /// The same bytes, without a socket.
    pub(crate) struct EmbeddedTransport(pub(crate) LocalService);

    #[async_trait]
    impl Transport for EmbeddedTransport {
        async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
            let Ok(answer) = self.0.clone().call(request.map(Full::new)).await;
            let (parts, body) = answer.into_parts();
            let body =
                Limited::new(body, MAX_ANSWER).collect().await.map_err(SendError::Interrupted)?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        }
    }
}
