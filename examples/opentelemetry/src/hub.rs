//! A bell that everybody hears.

use hub_runtime::prelude::*;

#[hub_client]
pub trait BellClient {
    /// Somebody rang.
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
