//! A hub that notifies all clients when one of them rings the bell.

use hub_runtime::prelude::*;

#[hub_client]
pub trait BellClient {
    /// The bell was rung.
    async fn rang(&self, who: &str);
}

pub struct Bell;

#[serverless_hub(client = BellClient)]
impl Bell {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn ring(&self, ctx: &Context<Self>, who: String) -> HubResult {
        Ok(ctx.clients().all().rang(&who).await?)
    }
}
