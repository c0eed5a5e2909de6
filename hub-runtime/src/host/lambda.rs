//! The app on AWS Lambda: events of a function URL or an HTTP API, one at a time.

use std::{
    convert::Infallible,
    io,
    net::IpAddr,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use lambda_http::{RequestExt, request::RequestContext};
use tower_service::Service;

use super::{HostedService, RequestBody};
use crate::{
    HubApp, answer,
    config::env::{self, Variables},
    negotiate::ClientAddress,
};

/// The variables that `lambda_http` requires. Lambda sets all of them.
const REQUIRED: [&str; 4] = [
    env::LAMBDA_RUNTIME_API,
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

impl HubApp {
    /// Serves the app on AWS Lambda, behind a function URL or an HTTP API with payloads of version 2.
    /// [`Self::run`] detects this host.
    ///
    /// # Errors
    /// When a variable of Lambda is not set, or the Runtime API fails.
    pub async fn serve_lambda(&self) -> io::Result<()> {
        serve(self.service()).await
    }
}

/// Polls for events, and handles them with the service.
pub(crate) async fn serve(service: impl HostedService) -> io::Result<()> {
    if let Some(missing) = REQUIRED.into_iter().find(|name| env::process.set(name).is_none()) {
        return Err(io::Error::other(format!("{missing} is not set: this is not AWS Lambda")));
    }
    lambda_http::run(Events(service)).await.map_err(io::Error::other)
}

/// Adapts the service to the requests of `lambda_http`.
struct Events<S>(S);

impl<S: HostedService> Service<lambda_http::Request> for Events<S> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: lambda_http::Request) -> Self::Future {
        let peer = source(&request);
        let mut request = request.map(|body| RequestBody::from(Bytes::from(body.to_vec())));
        if let Some(peer) = peer {
            request.extensions_mut().insert(ClientAddress(peer));
        }
        let answering = self.0.call(request);
        Box::pin(async move {
            let Ok(answer) = answering.await;
            let (parts, body) = answer.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => {
                    tracing::error!(error = %error.into(), "cannot read the response body");
                    return Ok(answer::empty(StatusCode::INTERNAL_SERVER_ERROR).map(Full::new));
                }
            };
            Ok(Response::from_parts(parts, Full::new(body)))
        })
    }
}

/// The address of the client, from the gateway.
fn source(request: &lambda_http::Request) -> Option<IpAddr> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_ref()?.parse().ok(),
        _ => None,
    }
}
