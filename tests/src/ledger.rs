//! A hub that records its events, for fault tests.

use std::{fmt, sync::Arc};

use hub_runtime::prelude::*;
use tokio::sync::Semaphore;

use crate::history::{Event, Fate};

/// The number of bytes that fill a segment. The local service stores broadcasts in segments, and
/// drops a segment when its last reader has read it.
const PIECE: usize = 64 * 1024;

/// The function that records the events of a [`Ledger`].
type Note = dyn Fn(Event) + Send + Sync;

/// The hub. A client numbers its calls, and the hub records each number before it acts on the call.
#[derive(Clone)]
pub struct Ledger {
    note: Arc<Note>,
    /// The number of `dawdle` calls that may return.
    wakes: Arc<Semaphore>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ledger")
    }
}

impl Ledger {
    /// Creates a hub that passes each event to `note` immediately.
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

    /// Returns the number.
    async fn add(&self, ctx: &Context<Self>, number: u64) -> HubResult<u64> {
        self.ran(ctx, number);
        Ok(number)
    }

    /// Returns the number after a call of `wake`.
    async fn dawdle(&self, ctx: &Context<Self>, number: u64) -> HubResult<u64> {
        self.ran(ctx, number);
        if let Ok(wake) = self.wakes.acquire().await {
            wake.forget();
        }
        Ok(number)
    }

    /// Lets one call of `dawdle` return.
    async fn wake(&self, ctx: &Context<Self>, number: u64) {
        self.ran(ctx, number);
        self.wakes.add_permits(1);
    }

    /// Does nothing and records nothing.
    async fn idle(&self) {}

    /// Broadcasts enough bytes that the local service drops all earlier broadcasts.
    async fn flush(&self, ctx: &Context<Self>, number: u64) -> HubResult {
        self.ran(ctx, number);
        Ok(ctx.clients().all().send("padding", ("x".repeat(PIECE),)).await?)
    }

    /// Broadcasts the number. Returns `accepted` or the text of the error.
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
