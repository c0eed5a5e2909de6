//! The hub of the load tests, on the embedded service.
//!
//! `HUB_LOCAL_PORT` and `HUB_LOCAL_KEY` set the port and key of the service, `PORT` the port of the
//! app. Without a log subscriber, each log statement costs one comparison.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use hub_runtime::prelude::*;

/// The client methods of the load tool.
#[hub_client]
trait LoadClient {
    async fn message(&self, payload: &str);
}

struct Bench;

#[serverless_hub(client = LoadClient)]
impl Bench {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::user("load"))
    }

    async fn echo(&self, payload: String) -> HubResult<String> {
        Ok(payload)
    }

    async fn broadcast(&self, ctx: &Context<Self>, payload: String) -> HubResult {
        Ok(ctx.clients().all().message(&payload).await?)
    }

    async fn join_group(&self, ctx: &Context<Self>, name: String) -> HubResult {
        Ok(ctx.groups().add(ctx.connection_id(), &name).await?)
    }

    async fn send_to_group(&self, ctx: &Context<Self>, name: String, payload: String) -> HubResult {
        Ok(ctx.clients().group(name).message(&payload).await?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Bench).build()?;
    Ok(app.run().await?)
}
