//! An app and the service that its clients connect to.

use std::{convert::Infallible, net::SocketAddr};

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hub_local::Template;
use hub_runtime::{Hub, HubApp, SignalR, service::HubBody};
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinSet};
use tower_service::Service as _;

use crate::{Client, RunningService, free_address, output, within};

/// The response of an app.
#[derive(Debug, PartialEq, Eq)]
pub struct AppResponse {
    /// The status code.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, which must be UTF-8.
    pub body: String,
}

/// Calls an app without a socket, and returns the response.
pub async fn answer<B>(app: &HubApp, request: Request<B>) -> AppResponse
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    output::record();
    let response: Result<http::Response<HubBody>, Infallible> = app.service().call(request).await;
    let Ok(response) = response;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    AppResponse {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// Serves an app on loopback until the set is dropped. Returns the address once the app
/// listens.
pub async fn serve(app: &HubApp) -> (SocketAddr, JoinSet<()>) {
    let address = free_address().await;
    let mut serving = JoinSet::new();
    let app = app.clone();
    serving.spawn(async move { app.serve(address).await.unwrap() });
    within("the app listens", async {
        while TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    (address, serving)
}

/// An app and its service. Clients connect over WebSockets.
#[derive(Debug)]
pub struct World {
    /// The app.
    pub app: HubApp,
    _service: Option<RunningService>,
    _serving: JoinSet<()>,
}

impl World {
    /// Wraps an app whose service needs no separate server.
    #[must_use]
    pub fn of(app: HubApp) -> Self {
        Self { app, _service: None, _serving: JoinSet::new() }
    }

    /// Creates an app with the embedded service: both in one process, connected without a socket.
    #[must_use]
    pub fn embedded<H: Hub>(hub: H) -> Self {
        Self::of(HubApp::builder().signalr(SignalR::local()).hub(hub).build().unwrap())
    }

    /// Creates an app and a service that call each other over HTTP.
    pub async fn apart<H: Hub>(hub: H) -> Self {
        let service = RunningService::start().await;
        let signalr = SignalR::from_connection_string(&service.connection_string()).unwrap();
        let app = HubApp::builder().signalr(signalr).hub(hub).build().unwrap();
        let (address, serving) = serve(&app).await;
        let url = format!("http://{address}/runtime/webhooks/signalr");
        service.set_upstream([Template::new(url).unwrap()]);
        Self { app, _service: Some(service), _serving: serving }
    }

    /// Negotiates as this user at the app, and connects to the service.
    pub async fn connect(&self, user: &str) -> Client {
        let request = Request::post("/negotiate?negotiateVersion=1")
            .header("authorization", format!("Bearer {user}"))
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let negotiated = answer(&self.app, request).await;
        assert_eq!(negotiated.status, 200, "{}", negotiated.body);
        let negotiated: Value = serde_json::from_str(&negotiated.body).unwrap();
        let [url, token] = ["url", "accessToken"].map(|name| negotiated[name].as_str().unwrap());
        let mut client = Client::web_socket(url, token).await.unwrap();
        client.handshake().await;
        client
    }
}
