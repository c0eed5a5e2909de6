//! A WebSocket client with the JSON protocol, and plain HTTP requests.

use std::time::{Duration, SystemTime};

use futures_util::{SinkExt as _, StreamExt as _};
use hub_core::{Secret, token};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{WebSocketStream, tungstenite};
use tungstenite::Message;

use crate::process::{KEY, with_timeout};

/// A client token for this hub, signed with this key.
pub(crate) fn token(key: &str, port: u16, hub: &str, user: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let expires = (now + Duration::from_secs(3600)).as_secs();
    let aud = format!("http://localhost:{port}/client/?hub={hub}");
    let claims = json!({ "aud": aud, "exp": expires, "asrs.s.uid": user });
    token::sign(&claims, &Secret::from(key)).unwrap()
}

/// Sends a request without a body and returns the status of the response.
pub(crate) async fn status(port: u16, method: &str, path: &str) -> u16 {
    status_with(port, method, path, "").await
}

/// Makes a REST call with a token of the usual key, and returns the status.
pub(crate) async fn rest(port: u16, method: &str, path: &str) -> u16 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let expires = (now + Duration::from_secs(3600)).as_secs();
    let claims = json!({ "aud": format!("http://localhost:{port}{path}"), "exp": expires });
    let token = token::sign(&claims, &Secret::from(KEY)).unwrap();
    status_with(port, method, path, &format!("Authorization: Bearer {token}\r\n")).await
}

/// `headers` are header lines, each with its line end.
async fn status_with(port: u16, method: &str, path: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    with_timeout("a response", stream.read_to_string(&mut response)).await.unwrap();
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

pub(crate) struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Connects to a hub as user Zoë; returns the HTTP status when refused.
    pub(crate) async fn try_connect(port: u16, hub: &str, key: &str) -> Result<Self, u16> {
        let token = token(key, port, hub, "Zoë");
        let url = format!("ws://127.0.0.1:{port}/client/?hub={hub}&access_token={token}");
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let opening = tokio_tungstenite::client_async(url, socket);
        match with_timeout("a response", opening).await {
            Ok((socket, _)) => {
                let mut client = Self(socket);
                client.send(r#"{"protocol":"json","version":1}"#).await;
                assert_eq!(client.receive().await, json!({}));
                Ok(client)
            }
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn connect(port: u16, hub: &str) -> Self {
        Self::try_connect(port, hub, KEY).await.unwrap()
    }

    pub(crate) async fn send(&mut self, record: &str) {
        self.0.send(Message::text(format!("{record}\u{1e}"))).await.unwrap();
    }

    /// Returns the next message that is not a ping. Null at the end of the connection.
    pub(crate) async fn receive(&mut self) -> Value {
        loop {
            match with_timeout("a message", self.0.next()).await {
                Some(Ok(Message::Text(text))) => {
                    let message: Value =
                        serde_json::from_str(text.trim_end_matches('\u{1e}')).unwrap();
                    if message["type"] != 6 {
                        return message;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Value::Null,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn invoke(&mut self, id: &str, target: &str) {
        let call = json!({ "type": 1, "invocationId": id, "target": target, "arguments": [] });
        self.send(&call.to_string()).await;
    }
}
