//! The wake-ups of the receivers of a message.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Wake,
    time::Duration,
};

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    delivery::{backlog::Backlog, batch::Batch, outbox::Outbox, sink::Sink},
    hub::quota::Quota,
    limits::Limits,
};

/// More receivers than one batch of the pacer has.
const MANY: usize = 40;

#[derive(Debug)]
struct Client {
    id: String,
    outbox: Outbox,
}

impl Member for Client {
    fn id(&self) -> &str {
        &self.id
    }

    fn user(&self) -> Option<&str> {
        None
    }

    fn protocol(&self) -> Protocol {
        Protocol::Json
    }

    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn close_slow(self: &Arc<Self>) {
        panic!("a client that reads too slowly");
    }
}

/// Counts the wake-ups of all writers.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A sink whose writes are ready.
struct Nowhere;

impl Sink for Nowhere {
    async fn write(&mut self, batch: &mut Batch) -> std::io::Result<()> {
        batch.clear();
        Ok(())
    }

    async fn finish(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    async fn shut(&mut self) {}
}

fn hub() -> Hub<Client> {
    let backlog = Arc::new(Backlog::new(usize::MAX, Duration::from_secs(1)));
    let hub = Hub::new("chat".into(), backlog, Quota::new(10, 100), TaskTracker::new());
    hub.pace.use_current_runtime();
    hub
}

fn clients(count: usize, limits: &Limits) -> Audience<Client> {
    let backlog = Arc::new(Backlog::new(usize::MAX, Duration::from_secs(1)));
    let client = |number: usize| {
        Arc::new(Client {
            id: number.to_string(),
            outbox: Outbox::new(limits, Arc::clone(&backlog)),
        })
    };
    (0..count).map(client).collect()
}

/// Writes all frames of a client, and waits for more.
fn run_writer(client: &Client, woken: &Arc<Woken>) {
    let waker = Waker::from(Arc::clone(woken));
    let mut sink = Nowhere;
    let writing = std::pin::pin!(sink.drain(&client.outbox));
    assert!(writing.poll(&mut std::task::Context::from_waker(&waker)).is_pending());
}

async fn let_the_pacer_run() {
    for _ in 0..MANY {
        tokio::task::yield_now().await;
    }
}

fn message() -> Broadcast {
    Broadcast(vec![(Protocol::Json, frame())])
}

fn frame() -> Frame {
    Frame::message(Protocol::Json, &Bytes::from_static(b"{}\x1e"))
}

#[tokio::test]
async fn a_message_to_one_client_does_not_wait_for_the_paced_wake_up_of_another() {
    let (hub, woken) = (hub(), Arc::<Woken>::default());
    let all = clients(MANY, &Limits::default());
    all.iter().for_each(|client| run_writer(client, &woken));
    let none = HashSet::new();
    send(&hub, &all, &none, &message());
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);

    assert_eq!(all[MANY - 1].outbox.push(frame()), PushOutcome::Queued);

    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    send(&hub, &all, &none, &message());
    let_the_pacer_run().await;
    assert_eq!(woken.0.load(Ordering::SeqCst), 1 + MANY);
}

#[tokio::test]
async fn a_message_to_few_clients_wakes_those_that_wait_for_a_paced_wake_up() {
    let (hub, woken) = (hub(), Arc::<Woken>::default());
    let all = clients(MANY, &Limits::default());
    all.iter().for_each(|client| run_writer(client, &woken));
    let none = HashSet::new();
    send(&hub, &all, &none, &message());

    let few: Audience<Client> = all.iter().take(2).cloned().collect();
    send(&hub, &few, &none, &message());

    assert_eq!(woken.0.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn excluded_clients_are_no_receivers() {
    let (hub, woken) = (hub(), Arc::<Woken>::default());
    let all = clients(MANY, &Limits::default());
    all.iter().for_each(|client| run_writer(client, &woken));
    let excluded = (1..MANY).map(|number| number.to_string()).collect();

    send(&hub, &all, &excluded, &message());

    // A message to one client wakes its writer at once.
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_panic_while_a_message_is_queued_loses_no_wake_up() {
    let (hub, woken) = (hub(), Arc::<Woken>::default());
    let limits = Limits { max_outbox_messages: 1, ..Limits::default() };
    let all = clients(MANY, &limits);
    all.iter().for_each(|client| run_writer(client, &woken));
    // The last client has a frame, and no room for another.
    assert_eq!(all[MANY - 1].outbox.push(frame()), PushOutcome::Queued);
    woken.0.store(0, Ordering::SeqCst);

    let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        send(&hub, &all, &HashSet::new(), &message());
    }));

    assert!(sent.is_err());
    let_the_pacer_run().await;
    assert_eq!(woken.0.load(Ordering::SeqCst), MANY - 1);
}
