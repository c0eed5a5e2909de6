//! A minimal hub: one number that all clients see and change.
use hub_runtime::prelude::*;

#[hub_client]
pub trait CounterClient {
    async fn changed(&self, value: i64);
}

#[derive(Default)]
pub struct Counter(tokio::sync::Mutex<i64>);

#[serverless_hub(client = CounterClient)]
impl Counter {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }
    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        Ok(ctx.clients().caller().changed(*self.0.lock().await).await?)
    }
    async fn add(&self, ctx: &Context<Self>, step: i32) -> HubResult {
        let mut value = self.0.lock().await; // locked while sending, to keep updates in order
        *value += i64::from(step);
        Ok(ctx.clients().all().changed(*value).await?)
    }
}
