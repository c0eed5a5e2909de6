//! The same app in two worlds: with the embedded service, and with a service elsewhere over HTTP.
//! Clients speak WebSockets in both.

use futures_util::{SinkExt, StreamExt};
use http::Request;
use http_body_util::Empty;
use hub_local::{HttpUpstream, LocalService};
use hub_runtime::{Hub, HubApp, SignalR};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::support::answer;

/// An app and the service that its clients connect to.
pub(crate) struct World {
    pub(crate) app: HubApp,
    _servers: JoinSet<()>,
}

/// App and service in one process, wired without a socket.
pub(crate) async fn embedded<H: Hub>(hub: H) -> World {
    World::of(HubApp::builder().signalr(SignalR::local()).hub(hub).build().unwrap())
}

/// The service calls the app over HTTP, and the app calls the service over HTTP.
pub(crate) async fn apart<H: Hub>(hub: H) -> World {
    let app_address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream =
        HttpUpstream::new(format!("http://{app_address}/runtime/webhooks/signalr")).unwrap();
    let service = LocalService::builder()
        .upstream(upstream)
        .public_url(format!("http://{}", listener.local_addr().unwrap()))
        .build();
    let signalr = SignalR::from_connection_string(service.connection_string().expose()).unwrap();
    let app = HubApp::builder().signalr(signalr).hub(hub).build().unwrap();
    let mut servers = JoinSet::new();
    servers.spawn(async move { service.serve(listener).await.unwrap() });
    let served = app.clone();
    servers.spawn(async move { served.serve(app_address).await.unwrap() });
    while TcpStream::connect(app_address).await.is_err() {
        tokio::task::yield_now().await;
    }
    World { app, _servers: servers }
}

/// A client over a WebSocket, one hub message a call.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// Messages that came in one frame with another.
    waiting: Vec<Value>,
    /// Calls of [`Self::invoke`], which numbers them.
    asked: u32,
}

impl World {
    /// An app that needs no server beside it.
    pub(crate) fn of(app: HubApp) -> Self {
        Self { app, _servers: JoinSet::new() }
    }

    /// Negotiates at the app as `user` and connects to the service.
    pub(crate) async fn connect(&self, user: &str) -> Client {
        let request = Request::post("/negotiate?negotiateVersion=1")
            .header("authorization", format!("Bearer {user}"))
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let negotiated = answer(&self.app, request).await;
        assert_eq!(negotiated.status, 200, "{}", negotiated.body);
        let negotiated: Value = serde_json::from_str(&negotiated.body).unwrap();
        let url = negotiated["url"].as_str().unwrap();
        let authority = url.split('/').nth(2).unwrap();
        let stream = TcpStream::connect(authority).await.unwrap();
        let token = negotiated["accessToken"].as_str().unwrap();
        let request = format!("{}&access_token={token}", url.replacen("http", "ws", 1));
        let (socket, _) = client_async(request, stream).await.unwrap();
        let mut client = Client { socket, waiting: Vec::new(), asked: 0 };
        client.write(&json!({"protocol": "json", "version": 1})).await;
        assert_eq!(client.read().await, json!({}));
        client
    }
}

impl Client {
    pub(crate) async fn write(&mut self, message: &Value) {
        self.socket.send(Message::text(format!("{message}\u{1e}"))).await.unwrap();
    }

    /// The next message that is not a ping.
    pub(crate) async fn read(&mut self) -> Value {
        loop {
            if !self.waiting.is_empty() {
                let message = self.waiting.remove(0);
                if message["type"] != 6 {
                    return message;
                }
                continue;
            }
            let frame = self.socket.next().await.expect("the connection ended").unwrap();
            let Message::Text(text) = frame else { panic!("not a text frame: {frame:?}") };
            let records = text.split_terminator('\u{1e}');
            self.waiting.extend(records.map(|record| serde_json::from_str(record).unwrap()));
        }
    }

    /// Asks without waiting for the answer.
    pub(crate) async fn begin(&mut self, id: &str, method: &str, arguments: Value) {
        let message =
            json!({"type": 1, "invocationId": id, "target": method, "arguments": arguments});
        self.write(&message).await;
    }

    /// Asks and takes the next message, which must be the answer.
    pub(crate) async fn invoke(&mut self, method: &str, arguments: Value) -> Value {
        self.asked += 1;
        let id = self.asked.to_string();
        self.begin(&id, method, arguments).await;
        let answer = self.read().await;
        assert_eq!(answer["invocationId"], id, "{answer}");
        answer
    }

    /// Answers a question of the hub.
    pub(crate) async fn complete(&mut self, question: &Value, result: Value) {
        let id = &question["invocationId"];
        self.write(&json!({"type": 3, "invocationId": id, "result": result})).await;
    }
}
