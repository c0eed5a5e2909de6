//! Clients of Server-Sent Events and long polling whose connection is cut in the middle of a request.

use std::net::SocketAddr;

use test_support::{until, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    level::Scenario,
    proxied_world::ProxiedWorld,
    proxy::{
        Direction::{self, Down, Up},
        Fault,
    },
    recording_client::{HUB, client_token, negotiate},
};

/// The number of clients that are cut off before the test waits for the service to remove them. The
/// service notices a missing poll only after a timeout. Tables keep the capacity for the maximum number
/// of concurrent clients.
const AT_ONCE: usize = 8;
const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
const CALL: &str = "{\"type\":1,\"invocationId\":\"1\",\"target\":\"idle\",\"arguments\":[]}\u{1e}";
const ANSWER: &str = "{\"type\":3,\"invocationId\":\"1\"";

#[derive(Clone, Copy)]
enum Transport {
    ServerSentEvents,
    LongPolling,
}

impl Transport {
    /// The distance in bytes between two cuts.
    fn stride(self) -> usize {
        match self {
            Self::ServerSentEvents => 29,
            Self::LongPolling => 97,
        }
    }
}

/// A client that opens a new connection for each request.
struct Guest {
    address: SocketAddr,
    query: String,
    token: String,
}

impl Guest {
    async fn negotiated(address: SocketAddr) -> Result<Self, String> {
        let token = client_token();
        let (_, id) = negotiate(address, &token, false).await?;
        Ok(Self { address, query: format!("hub={HUB}&id={id}"), token })
    }

    async fn begin(&self, method: &str, more: &str, body: &str) -> Result<TcpStream, String> {
        let (address, query, token) = (self.address, &self.query, &self.token);
        let length = body.len();
        let request = format!(
            "{method} /client/?{query} HTTP/1.1\r\nHost: {address}\r\n\
             Authorization: Bearer {token}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let opening = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(request.as_bytes()).await?;
            Ok::<_, std::io::Error>(stream)
        };
        opening.await.map_err(|error| error.to_string())
    }

    /// Sends a request and returns the answer, if it is complete and its status is a success.
    async fn ask(&self, method: &str, body: &str) -> Result<String, String> {
        let mut stream = self.begin(method, "", body).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
        let is_good = ["HTTP/1.1 200", "HTTP/1.1 202", "HTTP/1.1 204"]
            .iter()
            .any(|head| answer.starts_with(head));
        if is_good && is_whole(&answer) { Ok(answer) } else { Err(format!("answer: {answer}")) }
    }

    /// Polls until an answer contains `part`.
    async fn poll_for(&self, part: &str) -> Result<(), String> {
        while !self.ask("GET", "").await?.contains(part) {}
        Ok(())
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| length.parse() == Ok(body.len()))
}

/// Reads a stream of events until it contains `part`.
async fn hear(stream: &mut TcpStream, part: &str) -> Result<(), String> {
    let mut heard = Vec::new();
    let mut bytes = [0; 1024];
    while !String::from_utf8_lossy(&heard).contains(part) {
        match stream.read(&mut bytes).await {
            Ok(0) => return Err("the stream has ended".to_owned()),
            Ok(read) => heard.extend_from_slice(&bytes[..read]),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// Connects, calls a method once and disconnects.
async fn talk(world: &ProxiedWorld, transport: Transport) -> Result<(), String> {
    let guest = Guest::negotiated(world.clients.address).await?;
    match transport {
        Transport::ServerSentEvents => {
            let accept = "Accept: text/event-stream\r\n";
            let mut events = guest.begin("GET", accept, "").await?;
            hear(&mut events, "\r\n\r\n").await?;
            guest.ask("POST", HANDSHAKE).await?;
            hear(&mut events, "data: {}").await?;
            guest.ask("POST", CALL).await?;
            hear(&mut events, ANSWER).await
        }
        Transport::LongPolling => {
            guest.ask("GET", "").await?;
            guest.ask("POST", HANDSHAKE).await?;
            guest.poll_for("{}\u{1e}").await?;
            guest.ask("POST", CALL).await?;
            guest.poll_for(ANSWER).await?;
            guest.ask("DELETE", "").await.map(drop)
        }
    }
}

async fn cut(world: &ProxiedWorld, transport: Transport, direction: Direction, step: usize) {
    world.clients.count();
    talk(world, transport).await.unwrap();
    let length = world.clients.passed(direction);
    until("the last connection closes", || world.clients.open() == 0).await;
    // No cuts in the last 40 bytes: the service may not write its closing bytes.
    for (number, at) in (0..length - 40).step_by(transport.stride() * step).enumerate() {
        if number % AT_ONCE == 0 {
            world.all_told().await;
        }
        let struck = world.clients.struck();
        let fault = if at % 2 == 0 { Fault::Closes } else { Fault::Resets };
        world.clients.arm(direction, at, fault);

        let outcome = within("the end of the conversation", talk(world, transport)).await;

        assert_eq!(world.clients.struck(), struck + 1, "at {at} of {length}");
        assert!(outcome.is_err(), "{direction:?} {at} of {length}");
        until("the connection is cut", || world.clients.open() == 0).await;
    }
    world.all_told().await;
}

#[test]
fn a_broken_server_sent_events_client_leaves_no_resources() {
    Scenario::sweep(async |world, step| {
        for direction in [Up, Down] {
            cut(world, Transport::ServerSentEvents, direction, step).await;
        }
    });
}

#[test]
fn a_broken_long_polling_client_leaves_no_resources() {
    Scenario::sweep(async |world, step| {
        for direction in [Up, Down] {
            cut(world, Transport::LongPolling, direction, step).await;
        }
    });
}
