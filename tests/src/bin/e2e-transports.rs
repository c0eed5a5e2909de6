//! The app of the end-to-end tests of the transports, on the embedded service.

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, PoisonError},
};

use hub_runtime::prelude::*;
use tracing_subscriber::EnvFilter;

/// The client methods of the tests.
#[hub_client]
trait TravelClient {
    async fn number(&self, number: u32);
    async fn question(&self, text: &str) -> String;
}

/// A hub that counts how often each connection was opened and closed.
#[derive(Default)]
struct Travel {
    passages: Mutex<HashMap<String, (u32, u32)>>,
}

impl Travel {
    fn note(&self, id: &str, note: impl FnOnce(&mut (u32, u32))) {
        let mut passages = self.passages.lock().unwrap_or_else(PoisonError::into_inner);
        note(passages.entry(id.to_owned()).or_default());
    }
}

#[serverless_hub(client = TravelClient)]
impl Travel {
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }

    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        self.note(ctx.connection_id(), |(came, _)| *came += 1);
        Ok(())
    }

    async fn on_disconnected(&self, ctx: &Context<Self>) {
        self.note(ctx.connection_id(), |(_, left)| *left += 1);
    }

    /// Returns how often a connection was opened and closed.
    async fn passages(&self, id: String) -> HubResult<(u32, u32)> {
        let passages = self.passages.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(passages.get(&id).copied().unwrap_or_default())
    }

    async fn identity(&self, ctx: &Context<Self>) -> HubResult<String> {
        Ok(ctx.connection_id().to_owned())
    }

    async fn echo(&self, text: String) -> HubResult<String> {
        Ok(text)
    }

    async fn give_back(&self, ctx: &Context<Self>, number: u32) -> HubResult {
        Ok(ctx.clients().caller().number(number).await?)
    }

    async fn count_for_all(&self, ctx: &Context<Self>, first: u32, numbers: u32) -> HubResult {
        for number in first..first + numbers {
            ctx.clients().all().number(number).await?;
        }
        Ok(())
    }

    async fn join(&self, ctx: &Context<Self>, group: String) -> HubResult {
        Ok(ctx.groups().add(ctx.connection_id(), &group).await?)
    }

    async fn tell(&self, ctx: &Context<Self>, group: String, number: u32) -> HubResult {
        Ok(ctx.clients().group(group).number(number).await?)
    }

    async fn ask_me(&self, ctx: &Context<Self>, text: String) -> HubResult<String> {
        Ok(ctx.clients().caller().question(&text).await?)
    }

    async fn refuse(&self) -> HubResult {
        Err(HubError::rejected("not today"))
    }

    async fn refuse_without_text(&self) -> HubResult {
        Err(HubError::rejected(""))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    let signalr = SignalR::from_env_or_local()?;
    let app = HubApp::builder().signalr(signalr).hub(Travel::default()).build()?;
    Ok(app.run().await?)
}
