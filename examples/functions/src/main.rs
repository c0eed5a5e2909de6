//! A board on Azure Functions: see the README.

#![allow(
    unreachable_pub,
    reason = "a binary has no public API; `pub` marks the interface of each module"
)]

mod hub;
#[cfg(test)]
mod tests;

use hub_runtime::prelude::*;

use crate::hub::Board;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();

    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Board).build()?;

    // Runs as a custom handler under the Functions host, and as an HTTP server elsewhere. With the
    // argument `deploy-files` it writes the deployment files.
    app.run().await?;
    Ok(())
}
