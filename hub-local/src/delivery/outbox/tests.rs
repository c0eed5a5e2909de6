//! Limits, order and closing of outboxes.

mod closing;

use std::{collections::HashMap, io, time::Duration};

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use super::*;
use crate::delivery::{pace::WakePacer, sink::Sink};

fn log() -> Arc<Log> {
    Arc::new(Log::new(backlog(), WakePacer::new(TaskTracker::new())))
}

fn backlog() -> Arc<Backlog> {
    Arc::new(Backlog::new(usize::MAX, Duration::ZERO))
}

/// Sends to these outboxes, and returns the indexes of the outboxes without room.
fn send(log: &Log, outboxes: &[&Outbox], length: usize) -> Vec<usize> {
    let mut full = Vec::new();
    log.send(frame(length), |length| {
        let has_none =
            |(index, it): (usize, &&Outbox)| (!it.has_room_in_log(length)).then_some(index);
        full.extend(outboxes.iter().enumerate().filter_map(has_none));
    });
    full
}

/// The sizes of all pending frames, in order.
fn take(outbox: &Outbox) -> Vec<usize> {
    let mut batch = Batch::default();
    outbox.take_all(&mut batch);
    let (messages, bytes) = (batch.len(), batch.bytes());
    outbox.written(messages, bytes);
    batch.drain().map(|frame| frame.bytes.len()).collect()
}

fn outbox(outbox_bytes: usize, outbox_messages: usize) -> Outbox {
    let limits = Limits {
        max_outbox_bytes: outbox_bytes,
        max_outbox_messages: outbox_messages,
        ..Limits::default()
    };
    Outbox::new(&limits, backlog())
}

fn frame(length: usize) -> Frame {
    Frame::new(Bytes::from(vec![b'x'; length]), 2)
}

/// Records the frame sizes of each write.
#[derive(Default)]
struct Recorder(Vec<Vec<usize>>);

impl Sink for Recorder {
    async fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        self.0.push(batch.drain().map(|frame| frame.bytes.len()).collect());
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.0.push(Vec::new());
        Ok(())
    }

    async fn shut(&mut self) {}
}

#[test]
fn bytes_and_messages_are_bounded() {
    let by_bytes = outbox(10, 100);
    assert_eq!(by_bytes.push(frame(4)), PushOutcome::Queued);
    assert_eq!(by_bytes.push(frame(6)), PushOutcome::Queued);
    assert_eq!(by_bytes.push(frame(1)), PushOutcome::Full);

    let by_messages = outbox(100, 2);
    assert_eq!(by_messages.push(frame(1)), PushOutcome::Queued);
    assert_eq!(by_messages.push(frame(1)), PushOutcome::Queued);
    assert_eq!(by_messages.push(frame(1)), PushOutcome::Full);
}

#[test]
fn an_empty_outbox_accepts_any_size_and_a_completion_needs_some_free_space() {
    let filled = outbox(10, 100);
    assert_eq!(filled.push(frame(9)), PushOutcome::Queued);
    assert_eq!(filled.push_answer(frame(50)), PushOutcome::Queued);
    assert_eq!(filled.push_answer(frame(1)), PushOutcome::Full);

    let empty = outbox(10, 100);
    assert_eq!(empty.push(frame(50)), PushOutcome::Queued);
}

#[tokio::test]
async fn pending_frames_are_written_at_once_before_the_last_frame() {
    let outbox = outbox(100, 100);
    let mut sink = Recorder::default();
    for length in 1..=3 {
        assert_eq!(outbox.push(frame(length)), PushOutcome::Queued);
    }

    outbox.close(Some(frame(7)));
    assert_eq!(outbox.push(frame(1)), PushOutcome::Closed);
    sink.drain(&outbox).await.unwrap();

    assert_eq!(sink.0, [vec![1, 2, 3, 7], vec![]]);
    assert!(outbox.is_empty());
}

#[test]
fn the_payload_shares_the_bytes_of_the_frame() {
    let frame = frame(10);
    let start = frame.bytes().as_ptr() as usize;

    let payload = frame.into_payload();

    assert_eq!(payload.as_ptr() as usize, start + 2);
    assert_eq!(payload.len(), 8);
}

#[test]
fn broadcasts_and_single_messages_keep_their_order() {
    let (log, one, other) = (log(), outbox(1000, 100), outbox(1000, 100));
    let both = [&one, &other];
    assert_eq!(one.push(frame(1)), PushOutcome::Queued);
    send(&log, &both, 100);
    both.iter().for_each(|outbox| outbox.follow(&log));

    send(&log, &both, 2);
    assert_eq!(one.push(frame(3)), PushOutcome::Queued);
    assert_eq!(one.push(frame(4)), PushOutcome::Queued);
    send(&log, &both, 5);
    send(&log, &both, 6);
    assert_eq!(one.push(frame(7)), PushOutcome::Queued);

    assert_eq!(take(&one), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(take(&other), [2, 5, 6]);
    assert!(one.is_empty() && take(&one).is_empty());
}

#[test]
fn the_log_continues_over_segments_and_large_messages() {
    let (log, reader) = (log(), outbox(usize::MAX, usize::MAX));
    reader.follow(&log);
    let lengths: Vec<usize> = (1..1000).map(|it| if it % 7 == 0 { 70_000 } else { it }).collect();

    for length in &lengths {
        send(&log, &[&reader], *length);
    }

    assert!(take(&reader) == lengths);
}

#[test]
fn the_bounds_hold_for_both_sources_together() {
    let (log, by_bytes, by_messages) = (log(), outbox(10, 100), outbox(100, 3));
    let both = [&by_bytes, &by_messages];
    both.iter().for_each(|outbox| outbox.follow(&log));

    assert_eq!(by_bytes.push(frame(3)), PushOutcome::Queued);
    assert!(send(&log, &both, 3).is_empty());
    assert!(send(&log, &both, 4).is_empty());
    assert_eq!(by_messages.push(frame(1)), PushOutcome::Queued);
    assert_eq!(send(&log, &both, 4), [0, 1]);
    assert_eq!(by_bytes.push(frame(1)), PushOutcome::Full);
    assert_eq!(by_messages.push(frame(1)), PushOutcome::Full);
}

#[test]
fn space_is_freed_only_after_the_write() {
    let (log, reader) = (log(), outbox(10, 100));
    reader.follow(&log);
    let mut batch = Batch::default();

    assert!(send(&log, &[&reader], 10).is_empty());
    reader.take_all(&mut batch);
    reader.written(batch.len(), batch.bytes());

    assert!(send(&log, &[&reader], 10).is_empty());
    assert_eq!(send(&log, &[&reader], 1), [0]);
}

#[test]
fn what_was_taken_and_not_written_counts() {
    let (log, reader) = (log(), outbox(10, 100));
    reader.follow(&log);
    assert!(send(&log, &[&reader], 10).is_empty());

    reader.take_all(&mut Batch::default());

    assert_eq!(reader.push(frame(1)), PushOutcome::Full);
}

#[test]
fn an_empty_outbox_accepts_a_broadcast_of_any_size() {
    let (log, empty, filled) = (log(), outbox(10, 100), outbox(10, 100));
    let both = [&empty, &filled];
    both.iter().for_each(|outbox| outbox.follow(&log));
    assert_eq!(filled.push(frame(1)), PushOutcome::Queued);

    assert_eq!(send(&log, &both, 50), [1]);

    assert_eq!(take(&empty), [50]);
}

#[test]
fn the_total_of_all_outboxes_equals_the_pending_bytes() {
    let backlog = backlog();
    let log = Arc::new(Log::new(Arc::clone(&backlog), WakePacer::new(TaskTracker::new())));
    let [read, closed, abandoned, forgotten] =
        [(); 4].map(|()| Outbox::new(&Limits::default(), Arc::clone(&backlog)));
    let all = [&read, &closed, &abandoned, &forgotten];
    all.iter().for_each(|outbox| outbox.follow(&log));

    send(&log, &all, 10);
    assert_eq!(abandoned.push(frame(5)), PushOutcome::Queued);
    assert_eq!(backlog.bytes(), 45);
    forgotten.take_all(&mut Batch::default());
    take(&read);
    assert_eq!(backlog.bytes(), 35);
    abandoned.abandon(Some(frame(2)));
    closed.close(Some(frame(3)));
    send(&log, &all, 100);
    assert_eq!(backlog.bytes(), 10 + 3 + 2 + (10 + 100) + 100);
    take(&read);
    take(&closed);
    take(&abandoned);
    forgotten.forget();

    assert_eq!(backlog.bytes(), 0);
}

/// Bytes of a message with a visible reference count.
struct CountedBytes(Arc<[u8]>);

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn a_write_in_progress_and_a_closed_client_keep_no_later_broadcasts() {
    let (log, held) = (log(), Arc::from(*b"x"));
    let (written, closed) = (outbox(100, 100), outbox(100, 100));
    let both = [&written, &closed];
    both.iter().for_each(|outbox| outbox.follow(&log));
    send(&log, &both, 1);
    let mut batch = Batch::default();
    written.take_all(&mut batch);

    written.abandon(None);
    closed.close(Some(frame(7)));
    for _ in 0..1000 {
        let bytes = Bytes::from_owner(CountedBytes(Arc::clone(&held)));
        log.send(Frame::new(bytes, 0), |_| {});
    }

    // Only two segments are kept: the segment that is being written, and the last segment of the log.
    assert!(Arc::strong_count(&held) < 300, "{} are kept", Arc::strong_count(&held));
    assert_eq!((batch.len(), take(&closed)), (1, vec![1, 7]));
}

#[tokio::test]
async fn a_writer_that_sleeps_is_woken_by_either_source() {
    let log = log();
    let reader = Arc::new(outbox(100, 100));
    reader.follow(&log);
    let writer = tokio::spawn({
        let reader = Arc::clone(&reader);
        async move {
            let mut sink = Recorder::default();
            sink.drain(&reader).await.unwrap();
            sink.0
        }
    });

    for round in 0..3 {
        tokio::task::yield_now().await;
        send(&log, &[&reader], 1 + round);
        tokio::task::yield_now().await;
        assert_eq!(reader.push(frame(11 + round)), PushOutcome::Queued);
    }
    tokio::task::yield_now().await;
    reader.close(None);

    assert_eq!(writer.await.unwrap().concat(), [1, 11, 2, 12, 3, 13]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_senders_and_readers_lose_and_duplicate_nothing() {
    let log = log();
    let readers: Vec<_> = (0..20).map(|_| Arc::new(outbox(usize::MAX, usize::MAX))).collect();
    readers.iter().for_each(|reader| reader.follow(&log));
    let writers: Vec<_> = readers
        .iter()
        .map(Arc::clone)
        .map(|reader| {
            tokio::spawn(async move {
                let mut sink = Recorder::default();
                sink.drain(&reader).await.unwrap();
                sink.0.concat()
            })
        })
        .collect();

    let senders = (0..2).map(|sender| {
        let (log, readers) = (Arc::clone(&log), readers.clone());
        tokio::spawn(async move {
            for number in 0..500 {
                log.send(frame(1 + 2 * number + sender), |_| {});
                for reader in &readers {
                    assert_eq!(reader.push(frame(2000 + 2 * number + sender)), PushOutcome::Queued);
                }
                if number % 16 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
    });
    futures_util::future::join_all(senders).await.into_iter().for_each(|it| it.unwrap());
    readers.iter().for_each(|reader| reader.close(None));

    for writer in writers {
        let got = writer.await.unwrap();
        assert_eq!(got.len(), 2000);
        let positions: HashMap<usize, usize> =
            got.into_iter().enumerate().map(|(at, frame)| (frame, at)).collect();
        let position = |wanted: usize| positions[&wanted];
        for number in 0..499 {
            for sender in 0..2 {
                let (everyone, own) = (1 + 2 * number + sender, 2000 + 2 * number + sender);
                assert!(
                    position(everyone) < position(own) && position(own) < position(everyone + 2)
                );
            }
        }
    }
}
