//! Readers that join and leave while others send.

use std::sync::Arc;

use loom::thread;

use super::{FEW, Hub, SOME, explore, frame, read};
use crate::delivery::outbox::PushOutcome;

pub fn a_client_that_joins_while_others_send_misses_nothing_from_then_on() {
    explore(SOME, || {
        let hub = Hub::new();
        let log = Arc::clone(&hub.log);
        let sender = thread::spawn(move || (1..=3).for_each(|number| Hub::send(&log, number)));
        let outbox = hub.reader();
        Hub::send(&hub.log, 9);

        let mut seen = Vec::new();
        while !seen.contains(&9) {
            seen.extend(read(&outbox, 1));
        }

        seen.retain(|number| *number != 9);
        assert!(seen.windows(2).all(|two| two[0] + 1 == two[1]), "{seen:?}");
        sender.join().unwrap();
        outbox.forget();
        assert!(hub.is_empty());
    });
}

pub fn a_client_closed_during_sends_gets_earlier_messages_and_the_last_message() {
    explore(FEW, || {
        let hub = Hub::new();
        let outbox = hub.reader();
        let log = Arc::clone(&hub.log);
        let sender = thread::spawn(move || (1..=3).for_each(|number| Hub::send(&log, number)));
        let closed = Arc::clone(&outbox);
        let closer = thread::spawn(move || closed.close(Some(frame(9))));

        let mut seen = read(&outbox, usize::MAX);

        assert_eq!(seen.pop(), Some(9));
        assert!([1, 2, 3].starts_with(&seen), "{seen:?}");
        sender.join().unwrap();
        closer.join().unwrap();
        outbox.forget();
        assert!(hub.is_empty());
    });
}

pub fn a_client_that_is_abandoned_while_others_send_leaves_nothing_behind() {
    explore(SOME, || {
        let hub = Hub::new();
        let (outbox, other) = (hub.reader(), hub.reader());
        let log = Arc::clone(&hub.log);
        let sender = thread::spawn(move || (1..=3).for_each(|number| Hub::send(&log, number)));

        outbox.forget();
        drop(outbox);

        sender.join().unwrap();
        assert_eq!(read(&other, 3), [1, 2, 3]);
        other.forget();
        assert!(hub.is_empty());
    });
}

pub fn a_client_that_is_abandoned_while_others_push_reads_no_message_after_a_gap() {
    explore(SOME, || {
        let hub = Hub::new();
        let outbox = hub.outbox(100);
        assert_eq!(outbox.push(frame(1)), PushOutcome::Queued);
        let pushed = Arc::clone(&outbox);
        let sender = thread::spawn(move || {
            let _ = pushed.push(frame(2));
        });

        outbox.abandon(Some(frame(9)));

        let seen = read(&outbox, usize::MAX);
        assert_eq!(seen, [9]);
        sender.join().unwrap();
        outbox.forget();
        assert!(hub.is_empty());
    });
}

pub fn a_client_whose_outbox_overflows_reads_no_message_after_a_gap() {
    explore(SOME, || {
        let hub = Hub::new();
        let outbox = hub.outbox(1);
        let pushed = Arc::clone(&outbox);
        let sender = thread::spawn(move || {
            let is_full = |number: &u8| pushed.push(frame(*number)) == PushOutcome::Full;
            match (1..=3).filter(is_full).count() {
                0 => pushed.close(Some(frame(9))),
                _ => pushed.abandon(Some(frame(9))),
            }
        });

        let mut seen = read(&outbox, usize::MAX);

        assert_eq!(seen.pop(), Some(9));
        assert!([1, 2, 3].starts_with(&seen), "{seen:?}");
        sender.join().unwrap();
        outbox.forget();
        assert!(hub.is_empty());
    });
}

pub fn the_last_reader_leaves_nothing_behind() {
    explore(SOME, || {
        let hub = Hub::new();
        let outbox = hub.reader();
        let log = Arc::clone(&hub.log);
        let sender = thread::spawn(move || (1..=3).for_each(|number| Hub::send(&log, number)));

        outbox.abandon(None);
        drop(outbox);

        sender.join().unwrap();
        assert!(hub.is_empty());
    });
}
