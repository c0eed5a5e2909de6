//! How REST requests are sent: over pooled HTTP, or by calling the embedded service. The embedded
//! service takes most messages without a request.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hub_core::{Payload, SendError, outbound::Recipients};

/// The maximum size of a response body. Only group lists and client results can be large.
#[cfg(any(feature = "rest", feature = "local"))]
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// Sends requests to the service.
#[async_trait]
pub(crate) trait Transport: Send + Sync {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError>;

    /// The service, if it is in this process.
    fn in_process(&self) -> Option<&dyn InProcess> {
        None
    }
}

/// A service in this process, which takes messages without a request.
pub(crate) trait InProcess: Send + Sync {
    /// Sends a plain message ([`Payload::is_plain`]).
    fn send<'a>(
        &'a self,
        hub: &'a str,
        to: Recipients<'a>,
        message: &'a Payload,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

#[cfg(feature = "rest")]
pub(crate) use self::http_client::transport as http;

#[cfg(feature = "rest")]
mod http_client {
    use std::{sync::Arc, time::Duration};

    use hub_net::{
        BoxError,
        client::{GaiResolver, HttpClient, RequestError},
    };

    use super::{Bytes, MAX_RESPONSE_BYTES, Request, Response, SendError, Transport, async_trait};

    type Client = HttpClient<GaiResolver>;

    /// The service and its load balancers keep idle connections longer. A new connection costs a TLS handshake.
    const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

    /// A transport over HTTP/1.1. With `needs_tls`, reads the system's certificates immediately, so that an
    /// app fails at startup if there are no certificates. `http` endpoints need no certificates.
    pub(crate) fn transport(needs_tls: bool) -> Result<Arc<dyn Transport>, BoxError> {
        let client = Client::new(GaiResolver::new(), IDLE_TIMEOUT);
        if needs_tls {
            client.prepare_tls()?;
        }
        Ok(Arc::new(client))
    }

    #[async_trait]
    impl Transport for Client {
        async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
            let response = self.request(request, MAX_RESPONSE_BYTES).await;
            response.map_err(|error| match error {
                RequestError::Unreachable(error) => SendError::Unreachable(error),
                error => SendError::Interrupted(error.into()),
            })
        }
    }
}

#[cfg(feature = "local")]
pub(crate) use self::embedded::EmbeddedTransport;

#[cfg(feature = "local")]
mod embedded {
    use http_body_util::Full;
    use hub_local::LocalService;
    use hub_net::body::read_response;
    use tower_service::Service;

    use super::{
        Bytes, InProcess, MAX_RESPONSE_BYTES, Payload, Pin, Recipients, Request, Response,
        SendError, Transport, async_trait,
    };

    /// Calls the embedded service directly, without a socket.
    pub(crate) struct EmbeddedTransport(pub(crate) LocalService);

    #[async_trait]
    impl Transport for EmbeddedTransport {
        async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
            let Ok(answer) = self.0.clone().call(request.map(Full::new)).await;
            let (parts, body) = answer.into_parts();
            let body = read_response(body, MAX_RESPONSE_BYTES).await;
            let body = body.map_err(|error| SendError::Interrupted(error.into()))?;
            Ok(Response::from_parts(parts, body))
        }

        fn in_process(&self) -> Option<&dyn InProcess> {
            Some(&self.0)
        }
    }

    impl InProcess for LocalService {
        fn send<'a>(
            &'a self,
            hub: &'a str,
            to: Recipients<'a>,
            message: &'a Payload,
        ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
            self.send_in_process(hub, to, message)
        }
    }
}
