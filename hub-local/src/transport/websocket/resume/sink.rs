//! The sending half of a connection that outlives its sockets.
//!
//! Sent messages are kept until they are acknowledged, up to `max_resume_bytes`. Above this limit, and
//! without a socket, messages stay in the outbox. The outbox is bounded too: when it is full, the client is
//! closed as a slow client.

use std::{future::pending, io, sync::Arc, time::Duration};

use hub_core::protocol::Message;
use tokio::{
    io::WriteHalf,
    time::{Instant, sleep_until},
};

use super::{Resumption, Stream};
use crate::{
    connection::{Connection, acks::counted},
    delivery::{batch::Batch, outbox::Outbox, sink::Sink},
    transport::websocket::WebSocketSink,
};

type Socket = WebSocketSink<WriteHalf<Stream>>;

/// Maximum delay of an acknowledgement.
const MAX_ACK_DELAY: Duration = Duration::from_secs(1);
/// Maximum number of frames of one write.
const MAX_BATCH_FRAMES: usize = 512;

/// Writes to the newest socket.
pub(crate) struct ResumableSink {
    connection: Arc<Connection>,
    resumption: Arc<Resumption>,
    socket: Option<(u64, Socket)>,
    /// Frames taken from the outbox; the outbox counts them until they are written.
    waiting: Batch,
    ack_at: Option<Instant>,
}

impl ResumableSink {
    pub(crate) fn new(
        connection: Arc<Connection>,
        resumption: Arc<Resumption>,
        stream: WriteHalf<Stream>,
    ) -> Self {
        let socket = Some((0, WebSocketSink::new(stream, Arc::clone(&connection))));
        Self { connection, resumption, socket, waiting: Batch::default(), ack_at: None }
    }

    /// Switches to a new socket: sends `Sequence` and repeats the unacknowledged messages.
    async fn resume(&mut self, number: u64, stream: WriteHalf<Stream>) -> io::Result<()> {
        self.socket = Some((number, WebSocketSink::new(stream, Arc::clone(&self.connection))));
        let mut batch = {
            let mut counters = self.resumption.acks.counters();
            // The last acknowledgement may have been lost with the last socket.
            counters.owes_ack |= counters.received.latest() > 0;
            let sequence_id = counters.sent.sequence();
            let sequence = self.connection.message_frame(&Message::Sequence { sequence_id });
            let again = counters.sent.frames().cloned();
            std::iter::once(sequence).chain(again).collect::<Batch>()
        };
        self.write(&mut batch).await
    }

    /// Acknowledges the received messages.
    async fn acknowledge(&mut self) -> io::Result<()> {
        let sequence_id = {
            let mut counters = self.resumption.acks.counters();
            counters.owes_ack = false;
            counters.received.latest()
        };
        self.ack_at = None;
        let ack = self.connection.message_frame(&Message::Ack { sequence_id });
        self.write(&mut Batch::from_iter([ack])).await
    }

    fn schedule_ack(&mut self) {
        if self.ack_at.is_none() && self.resumption.acks.counters().owes_ack {
            self.ack_at = Some(Instant::now() + MAX_ACK_DELAY);
        }
    }

    /// The frames that can be sent now without exceeding the limit of kept bytes. While the connection
    /// closes there is no limit, because no acknowledgement is expected.
    fn next_batch(&mut self) -> Batch {
        let is_agreed = self.resumption.acks.are_agreed();
        let limit = self.connection.shared.limits.max_resume_bytes;
        let limit = if is_agreed && !self.connection.is_closing() { limit } else { usize::MAX };
        let protocol = self.connection.protocol();
        let mut counters = self.resumption.acks.counters();
        let mut batch = Batch::default();
        while counters.sent.bytes() < limit && batch.len() < MAX_BATCH_FRAMES {
            let Some(frame) = self.waiting.pop_front() else { break };
            if is_agreed {
                counters.sent.keep(frame.clone(), counted::messages(&frame, protocol));
            }
            batch.push(frame);
        }
        batch
    }
}

impl Sink for ResumableSink {
    async fn drain(&mut self, outbox: &Outbox) -> io::Result<()> {
        loop {
            if let Some((number, stream)) = self.resumption.next_write() {
                self.resume(number, stream).await?;
                continue;
            }
            if self.socket.as_ref().is_some_and(|(number, _)| self.resumption.is_broken(*number)) {
                self.socket = None;
            }
            self.schedule_ack();
            if self.ack_at.is_some_and(|moment| moment <= Instant::now()) {
                self.acknowledge().await?;
                continue;
            }
            if self.waiting.is_empty() {
                outbox.take_all(&mut self.waiting);
            }
            let mut batch = self.next_batch();
            if !batch.is_empty() {
                let (messages, bytes) = (batch.len(), batch.bytes());
                self.write(&mut batch).await?;
                outbox.written(messages, bytes);
                continue;
            }
            let is_held_back = !self.waiting.is_empty();
            tokio::select! {
                () = self.resumption.acks.writer.notified() => {}
                () = until(self.ack_at) => {}
                () = self.connection.closes(), if is_held_back => {}
                more = outbox.waits(), if !is_held_back => if !more {
                    return self.finish().await;
                },
            }
        }
    }

    /// Writes the frames to the socket. Without a working socket the frames are discarded; counted messages
    /// are kept and sent again later.
    async fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        let Some((number, socket)) = &mut self.socket else {
            batch.clear();
            return Ok(());
        };
        let number = *number;
        let written = {
            let mut writing = std::pin::pin!(socket.write(batch));
            loop {
                tokio::select! {
                    biased;
                    written = &mut writing => break written,
                    () = self.resumption.acks.writer.notified() => {
                        if self.resumption.is_outdated(number) {
                            break Err(io::ErrorKind::ConnectionAborted.into());
                        }
                    }
                }
            }
        };
        batch.clear();
        match written {
            Err(error) if !self.resumption.acks.are_agreed() => Err(error),
            Err(_) => {
                self.socket = None;
                self.resumption.broke(number);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn finish(&mut self) -> io::Result<()> {
        match &mut self.socket {
            Some((_, socket)) => socket.finish().await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    async fn shut(&mut self) {
        if let Some((_, socket)) = &mut self.socket {
            socket.shut().await;
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
