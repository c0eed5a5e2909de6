//! A hub that writes down what it does, for tests that break things around it.

use std::{fmt, sync::Arc};

use hub_runtime::prelude::*;
use tokio::sync::Semaphore;

use crate::history::{Event, Fate};

/// The local service stores broadcasts in segments and drops a segment when its last reader is done. This
/// many bytes fill a segment.
const PIECE: usize = 64 * 1024;

/// Where a [`Ledger`] writes.
type Note = dyn Fn(Event) + Send + Sync;

/// The hub. A client numbers its calls, and each number is written down before it has an effect.
#[derive(Clone)]
pub struct Ledger {
    note: Arc<Note>,
    /// How many calls that dawdle may end.
    wakes: Arc<Semaphore>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ledger")
    }
}

impl Ledger {
    /// A hub that hands each event to this function, at once.
    pub fn new(note: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self { note: Arc::new(note), wakes: Arc::new(Semaphore::new(0)) }
    }

    fn ran(&self, ctx: &Context<Self>, number: u64) {
        (self.note)(Event::Ran { client: ctx.connection_id().to_owned(), number });
    }
}

#[serverless_hub]
impl Ledger {
    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        (self.note)(Event::Connected { client: ctx.connection_id().to_owned() });
        Ok(())
    }

    async fn on_disconnected(&self, ctx: &Context<Self>) -> HubResult {
        (self.note)(Event::Disconnected { client: ctx.connection_id().to_owned() });
        Ok(())
    }

    /// Gives the number back.
    async fn add(&self, ctx: &Context<Self>, number: u64) -> HubResult<u64> {
        self.ran(ctx, number);
        Ok(number)
    }

    /// The same, but waits for a call of `wake`.
    async fn dawdle(&self, ctx: &Context<Self>, number: u64) -> HubResult<u64> {
        self.ran(ctx, number);
        if let Ok(wake) = self.wakes.acquire().await {
            wake.forget();
        }
        Ok(number)
    }

    /// Ends one call that dawdles.
    async fn wake(&self, ctx: &Context<Self>, number: u64) {
        self.ran(ctx, number);
        self.wakes.add_permits(1);
    }

    /// Does nothing and writes nothing down.
    async fn idle(&self) {}

    /// Broadcasts so much that the local service drops all earlier broadcasts.
    async fn flush(&self, ctx: &Context<Self>, number: u64) -> HubResult {
        self.ran(ctx, number);
        Ok(ctx.clients().all().send("padding", ("x".repeat(PIECE),)).await?)
    }

    /// Sends the number to everyone; whether the service accepted it, or how that failed.
    async fn tell(&self, ctx: &Context<Self>, number: u64) -> HubResult<String> {
        self.ran(ctx, number);
        let sender = ctx.connection_id();
        (self.note)(Event::Sending { sender: sender.to_owned(), number });
        let sent = ctx.clients().all().send("told", (sender, number)).await;
        let fate = match &sent {
            Ok(()) => Fate::Accepted,
            Err(error) if error.may_have_happened() => Fate::Unknown,
            Err(_) => Fate::NotSent,
        };
        (self.note)(Event::Sent { sender: sender.to_owned(), number, fate });
        Ok(sent.map_or_else(|error| error.to_string(), |()| "accepted".to_owned()))
    }
}
