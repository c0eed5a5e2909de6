//! The chat from the README: `cargo run -p chat`, then open the printed address in two tabs.

#![allow(
    unreachable_pub,
    reason = "a binary has no public API; `pub` marks the interface of each module"
)]

mod hub;
mod messages;
mod page;
mod people;
mod rooms;
mod sessions;
#[cfg(test)]
mod tests;

use hub_runtime::prelude::*;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{hub::Chat, sessions::Sessions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = std::env::var("RUST_LOG").ok().and_then(|log| log.parse().ok());
    let log = log.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(fmt::layer().with_writer(std::io::stderr)).with(log).init();

    let sessions = Sessions::from_env()?;
    let hub =
        Chat { rooms: Default::default(), people: Default::default(), sessions: sessions.clone() };
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(hub).build()?;

    let routes = page::routes(sessions, app.client_url()).fallback_service(app.service());
    app.run_with(routes).await?;
    Ok(())
}
