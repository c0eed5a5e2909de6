//! Reactions to a talk, on AWS Lambda: see the README.

#![allow(
    unreachable_pub,
    reason = "a binary has no public API; `pub` marks the interface of each module"
)]

mod hub;
#[cfg(test)]
mod tests;

use hub_runtime::prelude::*;

use crate::hub::Talk;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().init();

    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Talk).build()?;

    // Reads events on Lambda, and runs an HTTP server elsewhere.
    app.run().await?;
    Ok(())
}
