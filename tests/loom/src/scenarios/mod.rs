//! Concurrent operations, and the conditions that must hold in every interleaving.

#![allow(missing_docs, reason = "the names of the scenarios describe them")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod alarms;
mod ends;
mod limits;
mod orders;
mod paces;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;

pub use self::{alarms::*, ends::*, limits::*, orders::*, paces::*};
use crate::{
    delivery::{
        backlog::Backlog, batch::Batch, frame::Frame, log::Log, outbox::Outbox, pace::WakePacer,
        sink::Sink,
    },
    limits::Limits,
    sync::atomic::{FENCES, Fences},
    task::TaskTracker,
    threads::block_on,
};

/// The maximum number of preemptions: enough to find every known mistake, and few enough to finish
/// soon.
const FEW: usize = 2;
/// The maximum number of preemptions for scenarios with fewer interleavings.
const SOME: usize = 3;

fn explore(preemptions: usize, scenario: impl Fn() + Copy + Send + Sync + 'static) {
    for fences in [Fences::BeforeReads, Fences::AfterWrites] {
        FENCES.set(fences);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(scenario);
    }
}

/// A log and its backlog.
struct Hub {
    backlog: Arc<Backlog>,
    log: Arc<Log>,
}

impl Hub {
    fn new() -> Self {
        let backlog = Arc::new(Backlog::new(usize::MAX, Duration::MAX));
        let log = Arc::new(Log::new(Arc::clone(&backlog), WakePacer::new(TaskTracker)));
        Self { backlog, log }
    }

    /// Creates an outbox with a limit of `messages` messages of any size.
    fn outbox(&self, messages: usize) -> Arc<Outbox> {
        self.outbox_of(Limits { max_outbox_messages: messages, max_outbox_bytes: 1 << 20 })
    }

    #[allow(clippy::needless_pass_by_value, reason = "callers create the argument for this call")]
    fn outbox_of(&self, limits: Limits) -> Arc<Outbox> {
        Arc::new(Outbox::new(&limits, Arc::clone(&self.backlog)))
    }

    /// Creates an outbox that receives everything.
    fn reader(&self) -> Arc<Outbox> {
        let outbox = self.outbox(100);
        outbox.follow(&self.log);
        outbox
    }

    /// Sends one message. There must be room for it.
    fn send(log: &Log, number: u8) {
        log.send(frame(number), |_| panic!("there is room"));
    }

    /// Whether no bytes are pending.
    fn is_empty(&self) -> bool {
        self.backlog.bytes() == 0
    }
}

/// Creates a message of one byte.
fn frame(number: u8) -> Frame {
    Frame::new(Bytes::from(vec![0x81, 1, number]), 2)
}

/// Records the written messages, up to `wanted` of them.
struct Recorder {
    seen: Vec<u8>,
    wanted: usize,
}

impl Sink for Recorder {
    async fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        self.seen.extend(batch.drain().map(|frame| frame.into_payload()[0]));
        if self.seen.len() < self.wanted { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    }

    async fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shut(&mut self) {}
}

/// Reads `wanted` messages, and sleeps while none are available.
fn read(outbox: &Outbox, wanted: usize) -> Vec<u8> {
    let mut recorder = Recorder { seen: Vec::new(), wanted };
    // The recorder ends the loop with an error after the last message.
    let _ = block_on(recorder.drain(outbox));
    recorder.seen
}
