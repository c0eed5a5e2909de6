//! A chat: `cargo run`, then open the printed address in two tabs.

mod hub;
mod page;
#[cfg(test)]
mod tests;

use std::error::Error;

use hub_runtime::prelude::*;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::hub::Chat;

fn main() -> Result<(), Box<dyn Error>> {
    // Before the runtime starts its threads, because these may read variables.
    match dotenvy::from_path(".env") {
        Err(error) if !error.not_found() => Err(error.into()),
        _ => serve(),
    }
}

#[tokio::main]
async fn serve() -> Result<(), Box<dyn Error>> {
    let log = std::env::var("RUST_LOG")
        .ok()
        .and_then(|log| log.parse().ok());
    let log = log.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(log).init();

    // The embedded service, or the service of the setting AzureSignalRConnectionString.
    let signalr = SignalR::from_env_or_local()?;
    let app = HubApp::builder().signalr(signalr).hub(Chat).build()?;
    let routes = page::routes(app.client_url()).fallback_service(app.service());
    Ok(app.run_with(routes).await?)
}
