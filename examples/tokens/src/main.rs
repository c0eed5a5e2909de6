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
use tracing_subscriber::EnvFilter;

const FILES: [(&str, &str); 3] = [
    ("/", include_str!("../page/index.html")),
    ("/tokens.css", include_str!("../page/tokens.css")),
    ("/tokens.js", include_str!("../page/tokens.js")),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let log = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(log).with_writer(std::io::stderr).init();

    let hub = hub::Tokens::default();
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(hub).build()?;
    let page = example_page::routes(app.client_url(), &FILES);
    app.run_with(page.fallback_service(app.service())).await?;
    Ok(())
}
