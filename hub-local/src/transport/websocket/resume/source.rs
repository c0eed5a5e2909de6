//! The receiving half of a connection that outlives its sockets.

use std::{io, sync::Arc};

use hub_net::standstill::fired_late;
use tokio::{
    io::ReadHalf,
    time::{Instant, timeout_at},
};

use super::{Resumption, Stream};
use crate::{
    connection::{
        Connection,
        link::{Incoming, Source},
    },
    transport::websocket::WebSocketSource,
};

type Socket = WebSocketSource<ReadHalf<Stream>>;

/// Reads from the newest socket. When this socket breaks, waits up to `resume_timeout` for another socket.
pub(crate) struct ResumableSource {
    connection: Arc<Connection>,
    resumption: Arc<Resumption>,
    socket: Option<(u64, Socket)>,
    /// When to stop waiting for another socket.
    until: Instant,
}

impl ResumableSource {
    pub(crate) fn new(
        connection: Arc<Connection>,
        resumption: Arc<Resumption>,
        stream: ReadHalf<Stream>,
    ) -> Self {
        let socket = WebSocketSource::new(stream, Arc::clone(&connection));
        Self { connection, resumption, socket: Some((0, socket)), until: Instant::now() }
    }

    fn suspend(&mut self) -> Incoming {
        self.socket = None;
        self.until = Instant::now() + self.connection.shared.limits.resume_timeout;
        tracing::debug!(
            connection = self.connection.id(),
            "the WebSocket was lost; waiting for the client to resume"
        );
        Incoming::Suspended
    }
}

impl Source for ResumableSource {
    const LINGERS: bool = true;

    async fn receive(&mut self) -> io::Result<Incoming> {
        loop {
            if let Some((number, read)) = self.resumption.next_read() {
                let socket = WebSocketSource::new(read, Arc::clone(&self.connection));
                self.socket = Some((number, socket));
                tracing::debug!(connection = self.connection.id(), "resumed on another WebSocket");
                return Ok(Incoming::Resumed);
            }
            let Some((number, socket)) = &mut self.socket else {
                if self.connection.is_closing() {
                    return Err(io::ErrorKind::NotConnected.into());
                }
                let news = self.resumption.reader.notified();
                if timeout_at(self.until, news).await.is_err() {
                    if fired_late(self.until) {
                        self.until = Instant::now() + self.connection.shared.limits.resume_timeout;
                        continue;
                    }
                    return Err(io::ErrorKind::TimedOut.into());
                }
                continue;
            };
            if self.resumption.is_broken(*number) {
                return Ok(self.suspend());
            }
            let received = tokio::select! {
                biased;
                () = self.resumption.reader.notified() => continue,
                received = socket.receive() => received,
            };
            let number = *number;
            match received {
                Err(error) if self.resumption.acks.are_agreed() && is_loss(&error) => {
                    self.resumption.broke(number);
                    return Ok(self.suspend());
                }
                received => return received,
            }
        }
    }
}

/// Whether the error is a network failure rather than a protocol violation.
fn is_loss(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::OutOfMemory
    )
}
