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
use tracing_subscriber::EnvFilter;

use crate::{hub::Chat, sessions::Sessions};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let log = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(log).with_writer(std::io::stderr).init();

    let sessions = Sessions::from_env()?;
    let hub =
        Chat { rooms: Default::default(), people: Default::default(), sessions: sessions.clone() };
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(hub).build()?;

    let routes = page::routes(sessions, app.client_url()).fallback_service(app.service());
    app.run_with(routes).await?;
    Ok(())
}
