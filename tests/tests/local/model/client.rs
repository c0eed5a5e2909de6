//! A client over any transport. Its task reads until the test pauses it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hub_core::protocol::{Message, Protocol};
use hub_local::LocalService;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncWriteExt as _, WriteHalf},
    sync::watch,
    task::JoinHandle,
};
use tower_service::Service as _;

use super::{
    inbox::Inbox,
    operations::{ConnectOptions, TokenLifetime, Transport},
    readers::{self, Reading},
    reference::user_name,
    rest,
};
use crate::{
    support::{URL, signed},
    wire::{Stream, UPGRADE, Wire},
};

/// The requests of one client.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) service: LocalService,
    hub: usize,
    token: String,
    /// The secret connection token, if the client has negotiated.
    id: Option<String>,
}

impl Requests {
    pub(super) fn new(service: &LocalService, options: &ConnectOptions, unix_seconds: u64) -> Self {
        let ConnectOptions { hub, user, token_lifetime, .. } = *options;
        let mut claims = json!({ "aud": format!("{URL}/client/?hub=h{hub}"), "exp": rest::GOOD });
        if user.is_some() {
            claims["asrs.s.uid"] = json!(user_name(user));
        }
        match token_lifetime {
            TokenLifetime::Lasting => {}
            // The service accepts expired tokens for another 60 seconds.
            TokenLifetime::Expired => claims["exp"] = json!(unix_seconds - 62),
            TokenLifetime::ClosesAfter(seconds) => {
                claims["asrs.s.coae"] = json!("true");
                claims["asrs.s.aeo"] = json!(unix_seconds + seconds);
            }
        }
        Self { service: service.clone(), hub, token: signed(&claims), id: None }
    }

    /// Requests for the same connection with another user's token.
    pub(super) fn of_an_intruder(&self) -> Self {
        let claims = json!({
            "aud": format!("{URL}/client/?hub=h{}", self.hub),
            "exp": rest::GOOD,
            "asrs.s.uid": "eve",
        });
        Self { token: signed(&claims), ..self.clone() }
    }

    fn query(&self) -> String {
        let id = self.id.as_ref().map_or_else(String::new, |id| format!("&id={id}"));
        format!("?hub=h{}{id}", self.hub)
    }

    /// Returns the id of the connection, or the status of a refusal.
    pub(super) async fn negotiate(&mut self, resumes: bool) -> Result<String, u16> {
        let path = format!(
            "/client/negotiate{}&negotiateVersion=1&useStatefulReconnect={resumes}",
            self.query()
        );
        let (status, _, body) = self.request(Method::POST, &path, "", Bytes::new()).await;
        if status != 200 {
            return Err(status);
        }
        let body: Value =
            serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(body["useStatefulReconnect"].as_bool().unwrap_or_default(), resumes);
        self.id = Some(body["connectionToken"].as_str().unwrap().to_owned());
        Ok(body["connectionId"].as_str().unwrap().to_owned())
    }

    pub(super) async fn ask(&self, method: Method, accept: &str, body: Bytes) -> Response {
        let path = format!("/client/{}", self.query());
        self.request(method, &path, accept, body).await
    }

    async fn request(&self, method: Method, path: &str, accept: &str, body: Bytes) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::ACCEPT, accept)
            .body(Full::<Bytes>::from(body))
            .unwrap();
        let response = self.service.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status.as_u16(), parts.headers, body)
    }

    /// Opens a WebSocket. Returns the status if the service refuses.
    pub(super) async fn web_socket(&self, pipe: usize) -> Result<Wire, u16> {
        let mut wire = Wire::narrow(&self.service, pipe);
        let (query, token) = (self.query(), &self.token);
        let head = format!(
            "GET /client/{query} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             {UPGRADE}\r\n"
        );
        wire.write(head.as_bytes()).await;
        let status = wire.head().await.status;
        if status == 101 { Ok(wire) } else { Err(status) }
    }
}

pub(super) type Response = (u16, http::HeaderMap, hub_local::Body);

enum Outgoing {
    Socket(WriteHalf<Box<dyn Stream>>),
    Posts,
    Closed,
}

pub(super) struct TestClient {
    pub(super) requests: Requests,
    pub(super) protocol: Protocol,
    pub(super) inbox: Arc<Mutex<Inbox>>,
    transport: Transport,
    resumes: bool,
    reading: watch::Sender<Reading>,
    reader: Option<JoinHandle<()>>,
    outgoing: Outgoing,
    /// Sent messages that count for stateful reconnect and have no acknowledgement yet.
    sent: VecDeque<(u64, Bytes)>,
    counted: u64,
    /// Time at which the driver first found an acknowledgement of the service to be due.
    pub(super) owed_since: Option<u64>,
}

impl TestClient {
    /// Opens the transport of a negotiated client.
    pub(super) async fn open(
        requests: Requests,
        options: &ConnectOptions,
        pipe: usize,
    ) -> Result<Self, u16> {
        let protocol = if options.messagepack { Protocol::MessagePack } else { Protocol::Json };
        let (transport, resumes) = (options.transport, options.resumes);
        let mut client = Self {
            requests,
            protocol,
            inbox: Arc::new(Mutex::new(Inbox::new(protocol))),
            transport,
            resumes,
            reading: watch::channel(Reading::All).0,
            reader: None,
            outgoing: Outgoing::Posts,
            sent: VecDeque::new(),
            counted: 0,
            owed_since: None,
        };
        let (inbox, reading) = (Arc::clone(&client.inbox), client.reading.subscribe());
        match transport {
            Transport::WebSockets => {
                let wire = client.requests.web_socket(pipe).await?;
                client.take_socket(wire);
            }
            Transport::Events => {
                let accept = "text/event-stream";
                let (status, _, body) =
                    client.requests.ask(Method::GET, accept, Bytes::new()).await;
                if status != 200 {
                    return Err(status);
                }
                client.reader = Some(tokio::spawn(readers::events(body, reading, inbox)));
            }
            Transport::Polling => {
                let (status, ..) = client.requests.ask(Method::GET, "", Bytes::new()).await;
                if status != 200 {
                    return Err(status);
                }
                let polls = readers::polls(client.requests.clone(), reading, inbox);
                client.reader = Some(tokio::spawn(polls));
            }
        }
        Ok(client)
    }

    fn take_socket(&mut self, wire: Wire) {
        let (stream, early) = wire.into_stream();
        self.inbox.lock().unwrap().web_socket(&early);
        let (read, write) = tokio::io::split(stream);
        let (inbox, reading) = (Arc::clone(&self.inbox), self.reading.subscribe());
        self.reader = Some(tokio::spawn(readers::socket(read, reading, inbox)));
        self.outgoing = Outgoing::Socket(write);
    }

    pub(super) fn reads(&self, reading: Reading) {
        self.reading.send_replace(reading);
    }

    /// Drops the transport without a closing handshake.
    pub(super) fn hang_up(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
        self.outgoing = Outgoing::Closed;
    }

    pub(super) async fn greet(&mut self) {
        let version = if self.resumes { 2 } else { 1 };
        let protocol = self.protocol.name();
        let record = format!("{{\"protocol\":\"{protocol}\",\"version\":{version}}}\x1e");
        let framed = self.frame(&record.into());
        self.write(&framed).await;
    }

    /// Resumes on another WebSocket: sends the sequence message, then the unacknowledged messages again.
    pub(super) async fn resume(&mut self, pipe: usize) -> Result<(), u16> {
        // The service may close the old socket before the client does.
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
        let wire = self.requests.web_socket(pipe).await?;
        self.hang_up();
        {
            let mut inbox = self.inbox.lock().unwrap();
            inbox.resume();
            let service_has = inbox.service_has;
            self.sent.retain(|(id, _)| *id > service_has);
        }
        self.reads(Reading::All);
        self.take_socket(wire);
        let sequence_id = self.sent.front().map_or(self.counted + 1, |(id, _)| *id);
        self.send(&Message::Sequence { sequence_id }).await;
        for (_, again) in self.sent.clone() {
            self.write(&again).await;
        }
        Ok(())
    }

    /// Whether an acknowledgement of the service is missing.
    pub(super) fn is_owed(&self) -> bool {
        self.inbox.lock().unwrap().service_has < self.counted
    }

    /// Records a message that counts for stateful reconnect, so that the client can resend it.
    pub(super) fn count(&mut self, message: &Message) -> Bytes {
        let framed = self.frame(&self.protocol.encode(message));
        self.counted += 1;
        self.sent.push_back((self.counted, framed.clone()));
        framed
    }

    pub(super) async fn send(&mut self, message: &Message) {
        let framed = self.frame(&self.protocol.encode(message));
        self.write(&framed).await;
    }

    /// Acknowledges the received messages.
    pub(super) async fn acknowledge(&mut self) -> u64 {
        let sequence_id = {
            let mut inbox = self.inbox.lock().unwrap();
            inbox.unacknowledged = 0;
            inbox.latest
        };
        self.send(&Message::Ack { sequence_id }).await;
        sequence_id
    }

    /// Closes the transport with a closing handshake. Returns `false` if the transport has none.
    pub(super) async fn close_transport(&mut self) -> bool {
        match self.transport {
            Transport::WebSockets => self.write(b"\x88\x82\0\0\0\0\x03\xe8").await,
            Transport::Events => self.hang_up(),
            Transport::Polling => {
                let (status, ..) = self.requests.ask(Method::DELETE, "", Bytes::new()).await;
                return status == 202;
            }
        }
        true
    }

    fn frame(&self, message: &Bytes) -> Bytes {
        if self.transport != Transport::WebSockets {
            return message.clone();
        }
        let mut bytes = vec![if self.protocol.is_binary() { 0x82 } else { 0x81 }];
        match message.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend_from_slice(message);
        bytes.into()
    }

    /// Writes WebSocket frames, or posts whole messages.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        match &mut self.outgoing {
            // An error means that the service has closed the connection; the reading task reports that.
            Outgoing::Socket(stream) => drop(stream.write_all(bytes).await),
            Outgoing::Posts => {
                let body = Bytes::copy_from_slice(bytes);
                let _ = self.requests.ask(Method::POST, "", body).await;
            }
            Outgoing::Closed => {}
        }
    }
}

impl Drop for TestClient {
    fn drop(&mut self) {
        self.hang_up();
    }
}
