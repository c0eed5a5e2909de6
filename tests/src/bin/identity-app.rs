//! An app for the tests of Microsoft Entra sign-in, configured by its environment. It is a separate
//! process because its libraries read the environment.

use hub_runtime::prelude::*;
use tracing_subscriber::EnvFilter;

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let negotiation = Negotiation::user("ada");
        Ok(match request.query().get("role") {
            Some(role) => negotiation.claim("role", role),
            None => negotiation,
        })
    }

    async fn announce(&self, ctx: &Context<Self>) -> HubResult<bool> {
        ctx.clients().all().send("news", ()).await?;
        Ok(ctx.claims().has("role", "admin"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let mut signalr = SignalR::from_env()?;
    if std::env::var_os("ACCEPT_UNSEALED").is_some() {
        signalr = signalr.accept_unsealed_tokens();
    }
    let app = match HubApp::builder().signalr(signalr).hub(Loop).build() {
        Ok(app) => app,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    app.run().await?;
    Ok(())
}
