//! A client of the JSON hub protocol.

use std::collections::VecDeque;

use futures_util::{SinkExt as _, StreamExt as _};
use hub_local::MemoryConnection;
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::Mutex};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message},
};

use crate::within;

const PING: &str = "{\"type\":6}\u{1e}";

/// A client in memory or over a WebSocket.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    /// Messages that arrived in one frame with an earlier message.
    received: VecDeque<Value>,
    /// The number of calls of [`Self::invoke`]. It is the invocation id of the latest one.
    calls: u32,
}

#[derive(Debug)]
enum Transport {
    Memory(MemoryConnection),
    WebSocket(Box<Mutex<WebSocketStream<TcpStream>>>),
}

impl Client {
    fn new(transport: Transport) -> Self {
        Self { transport, received: VecDeque::new(), calls: 0 }
    }

    /// Creates a client on an in-memory connection, without a handshake.
    #[must_use]
    pub fn in_memory(connection: MemoryConnection) -> Self {
        Self::new(Transport::Memory(connection))
    }

    /// Connects a client over a WebSocket, without a handshake.
    ///
    /// # Errors
    /// Returns the HTTP status if the service refuses the connection.
    pub async fn web_socket(url: &str, token: &str) -> Result<Self, u16> {
        let stream = TcpStream::connect(url.split('/').nth(2).unwrap()).await.unwrap();
        let request = format!("{}&access_token={token}", url.replacen("http", "ws", 1));
        match within("the upgrade", client_async(request, stream)).await {
            Ok((socket, _)) => Ok(Self::new(Transport::WebSocket(Box::new(Mutex::new(socket))))),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Performs the handshake for JSON.
    pub async fn handshake(&mut self) {
        self.handshake_as("json").await;
    }

    /// Performs the handshake for this protocol.
    pub async fn handshake_as(&mut self, protocol: &str) {
        self.send(&json!({ "protocol": protocol, "version": 1 })).await;
        assert_eq!(self.recv_text().await, "{}\u{1e}");
    }

    /// Sends a value as one record.
    pub async fn send_text(&self, record: &str) {
        let record = format!("{record}\u{1e}");
        match &self.transport {
            Transport::Memory(connection) => connection.send(record).await.unwrap(),
            Transport::WebSocket(socket) => {
                socket.lock().await.send(Message::text(record)).await.unwrap();
            }
        }
    }

    /// Sends a message.
    pub async fn send(&self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Returns the next frame that is not a ping, including its separators. Empty at the end of the
    /// connection.
    pub async fn recv_text(&mut self) -> String {
        loop {
            let text = match &mut self.transport {
                // There is no timeout here, because tests with a paused clock wait for hours.
                Transport::Memory(connection) => {
                    let bytes = connection.recv().await.unwrap_or_default();
                    String::from_utf8(bytes.to_vec()).unwrap()
                }
                Transport::WebSocket(socket) => {
                    match within("a frame", socket.get_mut().next()).await {
                        Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => String::new(),
                        Some(Ok(frame)) => panic!("not a text frame: {frame:?}"),
                    }
                }
            };
            if text != PING {
                return text;
            }
        }
    }

    /// Returns the next message that is not a ping. Null at the end of the connection.
    pub async fn recv(&mut self) -> Value {
        loop {
            while let Some(message) = self.received.pop_front() {
                if message["type"] != 6 {
                    return message;
                }
            }
            let text = self.recv_text().await;
            if text.is_empty() {
                return Value::Null;
            }
            let records = text.split_terminator('\u{1e}');
            self.received
                .extend(records.map(|record| serde_json::from_str::<Value>(record).unwrap()));
        }
    }

    /// Calls a method without waiting for the completion.
    pub async fn begin(&self, id: &str, method: &str, arguments: Value) {
        let call =
            json!({ "type": 1, "invocationId": id, "target": method, "arguments": arguments });
        self.send(&call).await;
    }

    /// Calls a method without arguments and with this id, without waiting for the completion.
    pub async fn call_with_id(&self, id: &str, method: &str) {
        self.begin(id, method, json!([])).await;
    }

    /// Calls a method without arguments that sends no completion.
    pub async fn call(&self, method: &str) {
        self.send(&json!({ "type": 1, "target": method, "arguments": [] })).await;
    }

    /// Calls a method with a new id. The next message must be the completion.
    pub async fn invoke(&mut self, method: &str, arguments: Value) -> Value {
        let (answer, before) = self.invoke_among_others(method, arguments).await;
        assert!(before.is_empty(), "{before:?}");
        answer
    }

    /// Calls a method, and returns the completion and the messages that arrived before it.
    pub async fn invoke_among_others(
        &mut self,
        method: &str,
        arguments: Value,
    ) -> (Value, Vec<Value>) {
        self.calls += 1;
        let id = self.calls.to_string();
        self.begin(&id, method, arguments).await;
        let mut before = Vec::new();
        loop {
            let message = self.recv().await;
            assert!(!message.is_null(), "the connection ended");
            if message["type"] == 3 {
                assert_eq!(message["invocationId"], id, "{message}");
                return (message, before);
            }
            before.push(message);
        }
    }

    /// Sends the completion of a call from the hub that expects a result.
    pub async fn complete(&self, call: &Value, result: Value) {
        let id = &call["invocationId"];
        self.send(&json!({ "type": 3, "invocationId": id, "result": result })).await;
    }

    /// Returns the connection, for bytes other than JSON messages.
    ///
    /// # Panics
    /// Panics if the client is not in memory.
    pub fn memory(&mut self) -> &mut MemoryConnection {
        match &mut self.transport {
            Transport::Memory(connection) => connection,
            Transport::WebSocket(_) => panic!("a client over a WebSocket"),
        }
    }

    /// Returns the connection.
    ///
    /// # Panics
    /// Panics if the client is not in memory.
    #[must_use]
    pub fn into_memory(self) -> MemoryConnection {
        match self.transport {
            Transport::Memory(connection) => connection,
            Transport::WebSocket(_) => panic!("a client over a WebSocket"),
        }
    }
}
