//! Attacks on the service. The service refuses each one, without a panic, a hang or unbounded memory. After
//! each attack the service still serves other clients.
//!
//! `docs/threats.md` names the attack of each test.

mod bombs;
mod floods;
mod hosts;
mod memberships;
mod names;
mod pages;
mod requests;
mod slow_reader;
mod tokens;
mod upstream;

use std::{net::SocketAddr, time::Duration};

use hub_local::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Handle,
    time::timeout,
};

use crate::support::{App, Fixture, eventually};

/// A timeout that is long enough for the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that listens on a socket.
struct Served {
    fixture: Fixture,
    address: SocketAddr,
    /// The number of tasks before the first connection.
    tasks: usize,
}

impl Served {
    async fn new(limits: Limits) -> Self {
        Self::with(App::silent(), limits).await
    }

    async fn with(app: App, limits: Limits) -> Self {
        let fixture = Fixture::with(app, limits);
        let address = test_support::serve_on_loopback(&fixture.service).await;
        Self { fixture, address, tasks: tasks() }
    }

    async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends a request without a body on a new socket. Returns the response.
    async fn ask(&self, head: &str) -> String {
        let mut socket = self.connect().await;
        socket.write(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
        socket.rest().await
    }

    /// Checks that the service still serves others.
    async fn serves(&self) {
        let answer = self.ask("GET /api/health HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Waits until the service has no clients and no extra tasks.
    async fn is_calm(&self) {
        eventually(|| self.fixture.service.counters().connections == 0).await;
        eventually(|| tasks() <= self.tasks).await;
    }
}

/// The number of tasks in the runtime of this test.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// A raw socket.
struct Raw(TcpStream);

impl Raw {
    /// Writes bytes. Ignores errors, because the peer may have closed the socket.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// Reads until the peer closes the socket.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let reading = self.0.read_to_end(&mut bytes);
        // A reset also ends the connection.
        assert!(timeout(PATIENCE, reading).await.is_ok(), "the service closes the socket");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
