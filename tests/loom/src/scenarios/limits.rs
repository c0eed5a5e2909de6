//! Every outbox that exceeds its limit is noticed, and delayed senders continue.

use std::{sync::Arc, time::Duration};

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{Hub, SOME, explore, frame};
use crate::{
    delivery::{
        backlog::Backlog,
        outbox::{Outbox, PushOutcome},
    },
    limits::Limits,
    threads::block_on,
};

/// Sends to all outboxes, and closes those without room.
fn send(hub: &Hub, everyone: &[Arc<Outbox>], number: u8, closed: &[AtomicBool]) {
    hub.log.send(frame(number), |length| {
        for (outbox, closed) in everyone.iter().zip(closed) {
            if !outbox.has_room_in_log(length) {
                closed.store(true, Ordering::Relaxed);
                outbox.abandon(None);
            }
        }
    });
}

/// An outbox counts its own messages and broadcasts, in any order.
fn is_noticed(limits: fn() -> Limits) {
    explore(SOME, move || {
        let hub = Arc::new(Hub::new());
        let outbox = hub.outbox_of(limits());
        outbox.follow(&hub.log);
        let closed = Arc::new([AtomicBool::new(false)]);
        let sender = {
            let (hub, closed) = (Arc::clone(&hub), Arc::clone(&closed));
            let everyone = [Arc::clone(&outbox)];
            thread::spawn(move || send(&hub, &everyone, 1, &*closed))
        };

        let pushed = outbox.push(frame(2));

        sender.join().unwrap();
        let closed = closed[0].load(Ordering::Relaxed);
        assert!(closed || pushed == PushOutcome::Full, "two wait where there is room for one");
        outbox.forget();
        assert!(hub.is_empty());
    });
}

pub fn an_outbox_with_too_many_messages_is_noticed() {
    is_noticed(|| Limits { max_outbox_messages: 1, max_outbox_bytes: 100 });
}

pub fn an_outbox_with_too_many_bytes_is_noticed() {
    is_noticed(|| Limits { max_outbox_messages: 100, max_outbox_bytes: 5 });
}

/// A sender that makes room reads each outbox again. Concurrent changes must still count.
pub fn an_outbox_that_fills_while_another_is_closed_is_noticed() {
    explore(SOME, || {
        let hub = Arc::new(Hub::new());
        let (full, other) = (hub.outbox(1), hub.outbox(2));
        full.follow(&hub.log);
        other.follow(&hub.log);
        assert_eq!(full.push(frame(8)), PushOutcome::Queued);
        let closed = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let sender = {
            let (hub, closed) = (Arc::clone(&hub), Arc::clone(&closed));
            let everyone = [Arc::clone(&full), Arc::clone(&other)];
            thread::spawn(move || {
                send(&hub, &everyone, 1, &*closed);
                send(&hub, &everyone, 2, &*closed);
            })
        };

        let pushed = other.push(frame(9));

        sender.join().unwrap();
        assert!(closed[0].load(Ordering::Relaxed), "one of its own, and one for everyone");
        let closed = closed[1].load(Ordering::Relaxed);
        assert!(closed || pushed == PushOutcome::Full, "three wait where there is room for two");
        full.forget();
        other.forget();
        assert!(hub.is_empty());
    });
}

pub fn a_delayed_sender_continues_when_the_total_is_below_the_limit() {
    explore(SOME, || {
        let backlog = Arc::new(Backlog::new(1, Duration::MAX));
        backlog.add(3);
        let readers = [(); 2].map(|()| {
            let backlog = Arc::clone(&backlog);
            thread::spawn(move || backlog.subtract(1))
        });

        block_on(backlog.settle());

        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!(backlog.bytes(), 1);
    });
}
