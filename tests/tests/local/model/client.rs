//! A client over any transport. A task reads what comes, as long as it may.

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
    ear::Ear,
    operations::{Newcomer, Pass, Way},
    readers::{self, Reading},
    reference::user_name,
    rest,
};
use crate::{
    support::{URL, signed},
    wire::{Stream, UPGRADE, Wire},
};

/// How the requests of one client look.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) service: LocalService,
    hub: usize,
    token: String,
    /// The connection's secret, once it has one.
    id: Option<String>,
}

impl Requests {
    pub(super) fn new(service: &LocalService, newcomer: &Newcomer, unix_seconds: u64) -> Self {
        let Newcomer { hub, user, pass, .. } = *newcomer;
        let mut claims = json!({ "aud": format!("{URL}/client/?hub=h{hub}"), "exp": rest::GOOD });
        if user.is_some() {
            claims["asrs.s.uid"] = json!(user_name(user));
        }
        match pass {
            Pass::Lasting => {}
            // The leeway is a minute.
            Pass::Stale => claims["exp"] = json!(unix_seconds - 62),
            Pass::ClosesAfter(seconds) => {
                claims["asrs.s.coae"] = json!("true");
                claims["asrs.s.aeo"] = json!(unix_seconds + seconds);
            }
        }
        Self { service: service.clone(), hub, token: signed(&claims), id: None }
    }

    /// The same connection, asked for by somebody else.
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

    /// A WebSocket, or the status of a refusal.
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

enum Mouth {
    Socket(WriteHalf<Box<dyn Stream>>),
    Posts,
    Closed,
}

pub(super) struct Client {
    pub(super) requests: Requests,
    pub(super) protocol: Protocol,
    pub(super) ear: Arc<Mutex<Ear>>,
    way: Way,
    resumes: bool,
    reading: watch::Sender<Reading>,
    reader: Option<JoinHandle<()>>,
    mouth: Mouth,
    /// What was sent and counts, until the service says that it has it.
    sent: VecDeque<(u64, Bytes)>,
    counted: u64,
    /// Since when the service owes us an acknowledgement, as far as was seen.
    pub(super) owed_since: Option<u64>,
}

impl Client {
    /// Opens the transport of a client that has negotiated.
    pub(super) async fn open(
        requests: Requests,
        newcomer: &Newcomer,
        pipe: usize,
    ) -> Result<Self, u16> {
        let protocol = if newcomer.packed { Protocol::MessagePack } else { Protocol::Json };
        let (way, resumes) = (newcomer.way, newcomer.resumes);
        let mut client = Self {
            requests,
            protocol,
            ear: Arc::new(Mutex::new(Ear::new(protocol))),
            way,
            resumes,
            reading: watch::channel(Reading::All).0,
            reader: None,
            mouth: Mouth::Posts,
            sent: VecDeque::new(),
            counted: 0,
            owed_since: None,
        };
        let (ear, reading) = (Arc::clone(&client.ear), client.reading.subscribe());
        match way {
            Way::WebSockets => {
                let wire = client.requests.web_socket(pipe).await?;
                client.take_socket(wire);
            }
            Way::Events => {
                let accept = "text/event-stream";
                let (status, _, body) =
                    client.requests.ask(Method::GET, accept, Bytes::new()).await;
                if status != 200 {
                    return Err(status);
                }
                client.reader = Some(tokio::spawn(readers::events(body, reading, ear)));
            }
            Way::Polling => {
                let (status, ..) = client.requests.ask(Method::GET, "", Bytes::new()).await;
                if status != 200 {
                    return Err(status);
                }
                let polls = readers::polls(client.requests.clone(), reading, ear);
                client.reader = Some(tokio::spawn(polls));
            }
        }
        Ok(client)
    }

    fn take_socket(&mut self, wire: Wire) {
        let (stream, early) = wire.into_stream();
        self.ear.lock().unwrap().web_socket(&early);
        let (read, write) = tokio::io::split(stream);
        let (ear, reading) = (Arc::clone(&self.ear), self.reading.subscribe());
        self.reader = Some(tokio::spawn(readers::socket(read, reading, ear)));
        self.mouth = Mouth::Socket(write);
    }

    pub(super) fn reads(&self, reading: Reading) {
        self.reading.send_replace(reading);
    }

    /// Leaves without a word.
    pub(super) fn hang_up(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
        self.mouth = Mouth::Closed;
    }

    pub(super) async fn greet(&mut self) {
        let version = if self.resumes { 2 } else { 1 };
        let protocol = self.protocol.name();
        let record = format!("{{\"protocol\":\"{protocol}\",\"version\":{version}}}\x1e");
        let framed = self.frame(&record.into());
        self.write(&framed).await;
    }

    /// Comes back on another WebSocket: says where it goes on, and says the rest again.
    pub(super) async fn resume(&mut self, pipe: usize) -> Result<(), u16> {
        // The service may let go of the old socket first.
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
        let wire = self.requests.web_socket(pipe).await?;
        self.hang_up();
        {
            let mut ear = self.ear.lock().unwrap();
            ear.resumes();
            let service_has = ear.service_has;
            self.sent.retain(|(id, _)| *id > service_has);
        }
        self.reads(Reading::All);
        self.take_socket(wire);
        let sequence_id = self.sent.front().map_or(self.counted + 1, |(id, _)| *id);
        self.say(&Message::Sequence { sequence_id }).await;
        for (_, again) in self.sent.clone() {
            self.write(&again).await;
        }
        Ok(())
    }

    /// Whether the service has not acknowledged what was said.
    pub(super) fn is_owed(&self) -> bool {
        self.ear.lock().unwrap().service_has < self.counted
    }

    /// Notes a message that counts, so that it can be said again.
    pub(super) fn count(&mut self, message: &Message) -> Bytes {
        let framed = self.frame(&self.protocol.encode(message));
        self.counted += 1;
        self.sent.push_back((self.counted, framed.clone()));
        framed
    }

    pub(super) async fn say(&mut self, message: &Message) {
        let framed = self.frame(&self.protocol.encode(message));
        self.write(&framed).await;
    }

    /// Says which messages came.
    pub(super) async fn acknowledge(&mut self) -> u64 {
        let sequence_id = {
            let mut ear = self.ear.lock().unwrap();
            ear.unacknowledged = 0;
            ear.latest
        };
        self.say(&Message::Ack { sequence_id }).await;
        sequence_id
    }

    /// Closes the transport in order; `false` where that is not possible.
    pub(super) async fn close_transport(&mut self) -> bool {
        match self.way {
            Way::WebSockets => self.write(b"\x88\x82\0\0\0\0\x03\xe8").await,
            Way::Events => self.hang_up(),
            Way::Polling => {
                let (status, ..) = self.requests.ask(Method::DELETE, "", Bytes::new()).await;
                return status == 202;
            }
        }
        true
    }

    fn frame(&self, message: &Bytes) -> Bytes {
        if self.way != Way::WebSockets {
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

    /// Bytes on their way: frames of a WebSocket, or a post of whole messages.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        match &mut self.mouth {
            // An error means that the service has closed the connection, which is heard, too.
            Mouth::Socket(stream) => drop(stream.write_all(bytes).await),
            Mouth::Posts => {
                let body = Bytes::copy_from_slice(bytes);
                let _ = self.requests.ask(Method::POST, "", body).await;
            }
            Mouth::Closed => {}
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.hang_up();
    }
}
