//! A board on Azure Functions: `cargo run -p functions`, then read the README.

#![allow(unreachable_pub, reason = "a binary has no outside; `pub` marks each module's interface")]

mod hub;
#[cfg(test)]
mod tests;

use hub_runtime::prelude::*;

use crate::hub::Board;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();

    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Board).build()?;

    // The custom handler where the Functions host started it, a plain server elsewhere, and the files
    // of the deployment for `deploy-files`.
    app.run().await?;
    Ok(())
}
