//! The hub of the README, as it is there. A test compares both, and another one runs it.

use hub_runtime::prelude::*;

struct Echo;

#[serverless_hub]
impl Echo {
    /// `POST /echo/negotiate`. Without this method the hub accepts no connections.
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    /// `await connection.invoke("echo", "hi")`
    async fn echo(&self, ctx: &Context<Self>, text: String) -> HubResult<usize> {
        ctx.clients().others().send("said", (&text,)).await?;
        Ok(text.len())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Echo).build()?;
    app.run().await?;
    Ok(())
}
