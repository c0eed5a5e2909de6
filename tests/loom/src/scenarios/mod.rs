//! What threads do at the same time, and what must be true whatever comes first.

#![allow(missing_docs, reason = "their names are sentences")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod alarms;
mod ends;
mod limits;
mod orders;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;

pub use self::{alarms::*, ends::*, limits::*, orders::*};
use crate::{
    delivery::{
        backlog::Backlog, batch::Batch, frame::Frame, log::Log, outbox::Outbox, sink::Sink,
    },
    limits::Limits,
    sync::atomic::{FENCES, Fences},
    task::TaskTracker,
    threads::block_on,
};

/// How often a thread is interrupted at most: enough for every mistake that is known to be found, and
/// few enough to end soon.
const FEW: usize = 2;
/// Where that is few enough as well.
const SOME: usize = 3;

fn explore(preemptions: usize, scenario: impl Fn() + Copy + Send + Sync + 'static) {
    for fences in [Fences::BeforeReads, Fences::AfterWrites] {
        FENCES.set(fences);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(scenario);
    }
}

/// A log and what is around it.
struct Hub {
    backlog: Arc<Backlog>,
    log: Arc<Log>,
}

impl Hub {
    fn new() -> Self {
        let backlog = Arc::new(Backlog::new(usize::MAX, Duration::MAX));
        let log = Arc::new(Log::new(Arc::clone(&backlog), TaskTracker));
        Self { backlog, log }
    }

    /// An outbox for this many messages of any size.
    fn outbox(&self, messages: usize) -> Arc<Outbox> {
        self.outbox_of(Limits { max_outbox_messages: messages, max_outbox_bytes: 1 << 20 })
    }

    #[allow(clippy::needless_pass_by_value, reason = "made for it")]
    fn outbox_of(&self, limits: Limits) -> Arc<Outbox> {
        Arc::new(Outbox::new(&limits, Arc::clone(&self.backlog)))
    }

    /// One that gets everything.
    fn reader(&self) -> Arc<Outbox> {
        let outbox = self.outbox(100);
        outbox.follow(&self.log);
        outbox
    }

    /// Sends one message, for which there is room.
    fn send(log: &Log, number: u8) {
        log.send(frame(number), |_| panic!("there is room"));
    }

    /// Checks that nothing is left pending.
    fn is_empty(&self) -> bool {
        self.backlog.bytes() == 0
    }
}

/// A message of one byte.
fn frame(number: u8) -> Frame {
    Frame::new(Bytes::from(vec![0x81, 1, number]), 2)
}

/// Records what is written, until it has this many messages.
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

/// Reads this many messages, and sleeps while there are none.
fn read(outbox: &Outbox, wanted: usize) -> Vec<u8> {
    let mut recorder = Recorder { seen: Vec::new(), wanted };
    // An error means that all have come.
    let _ = block_on(recorder.drain(outbox));
    recorder.seen
}
