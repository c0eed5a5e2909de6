//! What somebody may try who means harm, and what comes of it: an answer that says no, never a panic,
//! a hang or memory that nobody bounds. After each attack the service serves others as before.
//!
//! `docs/threats.md` lists which test tries what.

mod bombs;
mod floods;
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
    net::{TcpListener, TcpStream},
    runtime::Handle,
    time::timeout,
};

use crate::support::{App, Fixture, eventually};

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service behind a socket.
struct Served {
    fixture: Fixture,
    address: SocketAddr,
    /// How many tasks there were before anybody came.
    tasks: usize,
}

impl Served {
    async fn new(limits: Limits) -> Self {
        Self::with(App::silent(), limits).await
    }

    async fn with(app: App, limits: Limits) -> Self {
        let fixture = Fixture::with(app, limits);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(fixture.service.serve(listener));
        Self { fixture, address, tasks: tasks() }
    }

    async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.unwrap())
    }

    /// A request without a body on a socket of its own: the head of the answer.
    async fn ask(&self, head: &str) -> String {
        let mut socket = self.connect().await;
        socket.write(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
        socket.rest().await
    }

    /// Others are served.
    async fn serves(&self) {
        let answer = self.ask("GET /api/health HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Nothing is left of those who came: no client, and no task.
    async fn is_calm(&self) {
        eventually(|| self.fixture.service.counters().connections == 0).await;
        eventually(|| tasks() <= self.tasks).await;
    }
}

/// The tasks that live in the runtime of this test.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// A socket on which anything may be said.
struct Raw(TcpStream);

impl Raw {
    /// Writes, unless the peer has closed.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// What comes until the peer closes.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let reading = self.0.read_to_end(&mut bytes);
        // A reset is an end, too.
        assert!(timeout(PATIENCE, reading).await.is_ok(), "the service closes the socket");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
