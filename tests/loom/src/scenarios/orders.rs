//! Every message arrives once and in order.

use std::sync::Arc;

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{FEW, Hub, SOME, explore, frame, read};
use crate::{
    delivery::{batch::Batch, outbox::PushOutcome},
    threads::block_on,
};

/// The third message is in the next segment of the log.
pub fn a_reader_that_goes_to_sleep_is_woken_by_the_next_message() {
    explore(SOME, || {
        let hub = Hub::new();
        let outbox = hub.reader();
        let log = Arc::clone(&hub.log);
        let sender = thread::spawn(move || (1..=3).for_each(|number| Hub::send(&log, number)));

        assert_eq!(read(&outbox, 3), [1, 2, 3]);

        sender.join().unwrap();
        outbox.forget();
        assert!(hub.is_empty());
    });
}

pub fn two_readers_of_two_senders_see_the_same_order() {
    explore(FEW, || {
        let hub = Hub::new();
        let (one, other) = (hub.reader(), hub.reader());
        let send = |number| {
            let log = Arc::clone(&hub.log);
            thread::spawn(move || Hub::send(&log, number))
        };
        let senders = [send(1), send(2)];

        let seen = read(&one, 2);

        assert!(seen == [1, 2] || seen == [2, 1], "{seen:?}");
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert_eq!(read(&other, 2), seen);
        one.forget();
        other.forget();
        assert!(hub.is_empty());
    });
}

pub fn messages_of_one_thread_arrive_in_order_for_any_recipient() {
    explore(SOME, || {
        let hub = Hub::new();
        let outbox = hub.reader();
        let (log, own) = (Arc::clone(&hub.log), Arc::clone(&outbox));
        let sender = thread::spawn(move || {
            Hub::send(&log, 1);
            assert_eq!(own.push(frame(2)), PushOutcome::Queued);
            Hub::send(&log, 3);
        });

        assert_eq!(read(&outbox, 3), [1, 2, 3]);

        sender.join().unwrap();
        outbox.forget();
        assert!(hub.is_empty());
    });
}

pub fn a_message_sent_after_another_was_observed_is_delivered_after_it() {
    explore(FEW, || {
        let hub = Hub::new();
        let outbox = hub.reader();
        let is_sent = Arc::new(AtomicBool::new(false));
        let (log, sent) = (Arc::clone(&hub.log), Arc::clone(&is_sent));
        let sender = thread::spawn(move || {
            Hub::send(&log, 1);
            sent.store(true, Ordering::Release);
        });
        let own = Arc::clone(&outbox);
        let other = thread::spawn(move || {
            let is_after = is_sent.load(Ordering::Acquire);
            assert_eq!(own.push(frame(2)), PushOutcome::Queued);
            is_after
        });

        let seen = read(&outbox, 2);

        sender.join().unwrap();
        if other.join().unwrap() {
            assert_eq!(seen, [1, 2]);
        } else {
            assert_eq!(seen.len(), 2);
        }
    });
}

/// The service responds to a long poll as soon as `waits` returns, so the outbox must then contain
/// a message.
pub fn waits_returns_only_if_a_message_is_available() {
    explore(SOME, || {
        let hub = Hub::new();
        let outbox = hub.reader();
        let log = Arc::clone(&hub.log);
        let sender = thread::spawn(move || (1..=3).for_each(|number| Hub::send(&log, number)));
        let mut taken = 0;

        while taken < 3 {
            assert!(block_on(outbox.waits()));
            let mut batch = Batch::default();
            outbox.take_all(&mut batch);
            assert!(!batch.is_empty());
            taken += batch.len();
            outbox.written(batch.len(), batch.bytes());
        }

        sender.join().unwrap();
        outbox.forget();
        assert!(hub.is_empty());
    });
}
