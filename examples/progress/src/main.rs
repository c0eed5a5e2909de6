//! Long-running jobs and pages that show their progress: `cargo run -p progress`, then open the printed address.

#![allow(
    unreachable_pub,
    reason = "a binary has no public API; `pub` marks the interface of each module"
)]

mod hub;
mod jobs;
mod routes;
#[cfg(test)]
mod tests;
mod visitor;
mod worker;

use hub_runtime::prelude::*;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{hub::Progress, jobs::Jobs, worker::Worker};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let log = std::env::var("RUST_LOG").ok().and_then(|log| log.parse().ok());
    let log = log.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(fmt::layer().with_writer(std::io::stderr)).with(log).init();

    let jobs = Jobs::default();
    let hub = Progress { jobs: jobs.clone() };
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(hub).build()?;

    let (worker, queue) = Worker::new(app.context(), jobs);
    let worker = tokio::spawn(worker.run());
    let routes = routes::routes(queue, app.client_url()).fallback_service(app.service());
    app.run_with(routes).await?;
    worker.abort();
    Ok(())
}
