//! The app on AWS Lambda: events of a function URL or an HTTP API, one at a time.

mod event;

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{Entry, SET_COOKIE},
    uri::PathAndQuery,
};
use http_body_util::{BodyExt, Full};
use lambda_http::{
    Adapter, LambdaEvent, RequestExt, lambda_runtime,
    request::{LambdaRequest, RequestContext},
};
use serde_json::{json, value::RawValue};
use tower_service::Service;

use self::event::Event;
use super::{HostedService, RequestBody, failed};
use crate::{
    HubApp, ServeError, answer,
    config::env::{self, Variables},
    negotiate::ClientAddress,
    shared::Inner,
    unlogged,
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
    pub async fn serve_lambda(&self) -> Result<(), ServeError> {
        serve(self, self.service()).await
    }
}

/// Polls for events, and handles them with the service.
pub(crate) async fn serve(app: &HubApp, service: impl HostedService) -> Result<(), ServeError> {
    if let Some(missing) = REQUIRED.into_iter().find(|name| env::process.set(name).is_none()) {
        return Err(failed(format!("{missing} is not set: this is not AWS Lambda")));
    }
    unlogged::watch();
    let app = Arc::clone(&app.inner);
    let requests = Requests { service, app: Arc::clone(&app) };
    let events = Events { adapter: Adapter::from(requests), app };
    lambda_runtime::run(events).await.map_err(|error| failed(error.to_string()))
}

/// Converts events to requests, and answers events of other kinds.
struct Events<S: HostedService> {
    adapter: Adapter<'static, Response<Full<Bytes>>, Requests<S>>,
    app: Arc<Inner>,
}

impl<S: HostedService> Service<LambdaEvent<Event>> for Events<S> {
    type Response = Box<RawValue>;
    type Error = lambda_http::Error;
    type Future = BoxFuture<'static, Result<Box<RawValue>, lambda_http::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), lambda_http::Error>> {
        let ready: Poll<Result<(), Infallible>> =
            Service::<LambdaEvent<LambdaRequest>>::poll_ready(&mut self.adapter, cx);
        ready.map(|_| Ok(()))
    }

    fn call(&mut self, event: LambdaEvent<Event>) -> Self::Future {
        let problem = match event.payload {
            Event::Http(request) => {
                let answering = self.adapter.call(LambdaEvent::new(*request, event.context));
                return Box::pin(async move {
                    let Ok(answer) = answering.await;
                    Ok(serde_json::value::to_raw_value(&answer)?)
                });
            }
            Event::Other(problem) => problem,
        };
        self.app.log.line("event", |omitted| tracing::error!(omitted, "{problem}"));
        unlogged::first_error(None, problem);
        // REST APIs and load balancers accept this form, too.
        let answer = json!({
            "statusCode": StatusCode::NOT_IMPLEMENTED.as_u16(),
            "headers": { "content-type": "text/plain; charset=utf-8" },
            "body": problem,
            "isBase64Encoded": false,
        });
        Box::pin(async move { Ok(serde_json::value::to_raw_value(&answer)?) })
    }
}

/// Adapts the service to the requests of `lambda_http`.
struct Requests<S> {
    service: S,
    app: Arc<Inner>,
}

impl<S: HostedService> Service<lambda_http::Request> for Requests<S> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: lambda_http::Request) -> Self::Future {
        let origin = Origin::of(&request);
        let mut request = request.map(|body| RequestBody::from(Bytes::from(body.to_vec())));
        if let Some(address) = origin.address {
            request.extensions_mut().insert(ClientAddress(address));
        }
        if let Some(stage) = origin.stage {
            remove_stage(&mut request, &stage, self.app.routes.prefix());
        }
        let answering = self.service.call(request);
        Box::pin(async move {
            let Ok(answer) = answering.await;
            let (mut parts, body) = answer.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => {
                    tracing::error!(error = %error.into(), "cannot read the response body");
                    return Ok(answer::empty(StatusCode::INTERNAL_SERVER_ERROR).map(Full::new));
                }
            };
            join_repeated(&mut parts.headers);
            Ok(Response::from_parts(parts, Full::new(body)))
        })
    }
}

/// What the gateway adds to a request.
#[derive(Default)]
struct Origin {
    address: Option<IpAddr>,
    /// The stage of an HTTP API, unless it is the default stage.
    stage: Option<String>,
}

impl Origin {
    fn of(request: &lambda_http::Request) -> Self {
        let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
            return Self::default();
        };
        let address = context.http.source_ip.as_ref().and_then(|ip| ip.parse().ok());
        let stage = context.stage.clone().filter(|stage| stage != "$default");
        Self { address, stage }
    }
}

/// Removes the stage from the path: `/prod/chat/negotiate` becomes `/chat/negotiate`. The path keeps the stage if
/// the route prefix of the app begins with it.
fn remove_stage<B>(request: &mut Request<B>, stage: &str, prefix: &str) {
    let segment = format!("/{stage}");
    let is_in_prefix = begins_with_segment(prefix, &segment);
    let uri = request.uri();
    if is_in_prefix || !begins_with_segment(uri.path(), &segment) {
        return;
    }
    let rest = uri.path_and_query().and_then(|it| it.as_str().get(segment.len()..));
    let rest = rest.unwrap_or_default();
    let path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

fn begins_with_segment(path: &str, segment: &str) -> bool {
    path.strip_prefix(segment).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Joins the values of repeated headers (RFC 9110 §5.3): `lambda_http` sends one value of a header. It sends
/// cookies separately.
fn join_repeated(headers: &mut HeaderMap) {
    let repeated: Vec<_> = headers
        .keys()
        .filter(|name| **name != SET_COOKIE && headers.get_all(*name).iter().count() > 1)
        .cloned()
        .collect();
    for name in repeated {
        let Entry::Occupied(mut entry) = headers.entry(name) else { continue };
        let values: Vec<_> = entry.iter().map(HeaderValue::as_bytes).collect();
        if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b", "[..])) {
            entry.insert(joined);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ALLOW, VARY};

    use super::*;

    fn without_stage(uri: &str, prefix: &str) -> String {
        let mut request = Request::builder().uri(uri).body(()).unwrap();
        remove_stage(&mut request, "prod", prefix);
        request.uri().to_string()
    }

    #[test]
    fn the_stage_is_removed_from_the_path() {
        assert_eq!(
            without_stage("https://a.example/prod/chat/negotiate?x=1", ""),
            "https://a.example/chat/negotiate?x=1"
        );
        assert_eq!(without_stage("/prod", ""), "/");
        assert_eq!(without_stage("/prod?x=1", ""), "/?x=1");
        assert_eq!(without_stage("/production/negotiate", ""), "/production/negotiate");
        assert_eq!(without_stage("/chat/prod", ""), "/chat/prod");
    }

    #[test]
    fn a_stage_in_the_route_prefix_stays() {
        assert_eq!(without_stage("/prod/chat/negotiate", "/prod"), "/prod/chat/negotiate");
        assert_eq!(without_stage("/prod/v1/health", "/prod/v1"), "/prod/v1/health");
        assert_eq!(without_stage("/prod/v1/health", "/v1"), "/v1/health");
    }

    #[test]
    fn repeated_headers_are_joined_except_cookies() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [(VARY, "Origin"), (VARY, "Accept"), (SET_COOKIE, "a"), (SET_COOKIE, "b")]
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers.insert(ALLOW, HeaderValue::from_static("POST"));

        join_repeated(&mut headers);

        let values = |name| headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(values(VARY), ["Origin, Accept"]);
        assert_eq!(values(SET_COOKIE), ["a", "b"]);
        assert_eq!(values(ALLOW), ["POST"]);
    }
}
