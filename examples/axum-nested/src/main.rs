//! A hub beside other routes: `cargo run -p axum-nested`, then open the printed address in two tabs.

#![allow(
    unreachable_pub,
    reason = "a binary has no public API; `pub` marks the interface of each module"
)]

mod hub;
mod notes;
mod routes;
#[cfg(test)]
mod tests;

use std::{net::Ipv4Addr, sync::Arc};

use hub_runtime::prelude::*;
use tokio::net::TcpListener;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{hub::Board, notes::Notes};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let log = std::env::var("RUST_LOG").ok().and_then(|log| log.parse().ok());
    let log = log.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(fmt::layer().with_writer(std::io::stderr)).with(log).init();

    let notes = Arc::new(Notes::default());
    let hub = Board { notes: Arc::clone(&notes) };
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(hub).build()?;
    // The page uses this file, and the next build includes it.
    #[cfg(debug_assertions)]
    if let Err(error) = app
        .typescript()
        .javascript()
        .write(concat!(env!("CARGO_MANIFEST_DIR"), "/page/board-hub.js"))
    {
        tracing::warn!("the file of the page is not written: {error}");
    }

    let port = std::env::var("PORT").map_or(Ok(7071), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("App      http://{}", listener.local_addr()?);
    let routes = routes::routes(&app, notes);
    let ended = async move {
        stop_signal().await;
        // Shut the app down before the server stops: the service closes the clients with `allowReconnect`, and
        // the server can still handle their `disconnected` calls.
        app.shutdown().await;
    };
    axum::serve(listener, routes).with_graceful_shutdown(ended).await?;
    Ok(())
}

/// Waits for SIGINT or SIGTERM. Never returns if no signal handler can be installed.
async fn stop_signal() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};

        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
