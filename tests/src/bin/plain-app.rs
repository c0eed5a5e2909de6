//! The smallest app, as in the README: without a log subscriber and without arguments of its own.

use hub_runtime::prelude::*;

struct Echo;

#[serverless_hub]
impl Echo {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        match request.query().get("fail") {
            Some(cause) => Err(HubError::internal(cause)),
            None => Ok(Negotiation::anonymous()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Echo).build()?;
    app.run().await?;
    Ok(())
}
