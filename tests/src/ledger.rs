//! A hub that writes down what it does, for tests that break things around it.

use std::{fmt, sync::Arc, time::Duration};

use hub_runtime::prelude::*;

use crate::history::{Event, Fate};

/// The local service keeps messages for everyone in pieces, and lets a piece go that nobody reads any
/// more: this much is a piece of its own.
const PIECE: usize = 64 * 1024;

/// Where a [`Ledger`] writes.
type Note = dyn Fn(Event) + Send + Sync;

/// The hub. A client numbers its calls, and each number is written down before it has an effect.
#[derive(Clone)]
pub struct Ledger(Arc<Note>);

impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ledger")
    }
}

impl Ledger {
    /// A hub that hands each event to this function, at once.
    pub fn new(note: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(note))
    }

    fn ran(&self, ctx: &Context<Self>, number: u64) {
        (self.0)(Event::Ran { client: ctx.connection_id().to_owned(), number });
    }
}

#[serverless_hub]
impl Ledger {
    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        (self.0)(Event::Connected { client: ctx.connection_id().to_owned() });
        Ok(())
    }

    async fn on_disconnected(&self, ctx: &Context<Self>) -> HubResult {
        (self.0)(Event::Disconnected { client: ctx.connection_id().to_owned() });
        Ok(())
    }

    /// Gives the number back.
    async fn add(&self, ctx: &Context<Self>, number: u64) -> HubResult<u64> {
        self.ran(ctx, number);
        Ok(number)
    }

    /// The same after a while.
    async fn dawdle(&self, ctx: &Context<Self>, number: u64) -> HubResult<u64> {
        self.ran(ctx, number);
        tokio::time::sleep(Duration::from_millis(600)).await;
        Ok(number)
    }

    /// Does nothing and writes nothing down.
    async fn idle(&self) {}

    /// Sends everyone so much that the local service keeps nothing of what it sent before.
    async fn flush(&self, ctx: &Context<Self>, number: u64) -> HubResult {
        self.ran(ctx, number);
        Ok(ctx.clients().all().send("padding", ("x".repeat(PIECE),)).await?)
    }

    /// Sends the number to everyone; whether the service accepted it, or how that failed.
    async fn tell(&self, ctx: &Context<Self>, number: u64) -> HubResult<String> {
        self.ran(ctx, number);
        let sender = ctx.connection_id();
        (self.0)(Event::Sending { sender: sender.to_owned(), number });
        let sent = ctx.clients().all().send("told", (sender, number)).await;
        let fate = match &sent {
            Ok(()) => Fate::Accepted,
            Err(error) if error.may_have_happened() => Fate::Unknown,
            Err(_) => Fate::NotSent,
        };
        (self.0)(Event::Sent { sender: sender.to_owned(), number, fate });
        Ok(sent.map_or_else(|error| error.to_string(), |()| "accepted".to_owned()))
    }
}
