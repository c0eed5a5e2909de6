//! Text word by word: `cargo run -p tokens`, then open the printed address in two tabs.

#![allow(
    unreachable_pub,
    reason = "a binary has no public API; `pub` marks the interface of each module"
)]

mod hub;
mod model;
mod rooms;
#[cfg(test)]
mod tests;

use hub_runtime::prelude::*;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

const FILES: [(&str, &str); 4] = [
    ("/", include_str!("../page/index.html")),
    ("/tokens.css", include_str!("../page/tokens.css")),
    ("/tokens.js", include_str!("../page/tokens.js")),
    ("/tokens-hub.js", include_str!("../page/tokens-hub.js")),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let log = std::env::var("RUST_LOG").ok().and_then(|log| log.parse().ok());
    let log = log.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(fmt::layer().with_writer(std::io::stderr)).with(log).init();

    let hub = hub::Tokens::default();
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(hub).build()?;
    let page = example_page::routes(app.client_url(), &FILES);
    app.run_with(page.fallback_service(app.service())).await?;
    Ok(())
}
