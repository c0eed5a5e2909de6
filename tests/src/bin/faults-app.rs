//! The [`Ledger`] as a program that tests kill. The program prints each event before the event
//! takes effect, so that the test can read all events after the kill.

use std::io::{self, Write as _};

use hub_runtime::prelude::*;
use tests::{history::Entry, ledger::Ledger};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    let hub = Ledger::new(|event| {
        let line = serde_json::to_string(&Entry::now(event)).unwrap_or_default();
        let mut out = io::stdout().lock();
        // Writing fails only when the test, which reads the output, has ended.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    });
    let app = HubApp::builder().signalr(SignalR::from_env()?).hub(hub).build()?;
    Ok(app.run().await?)
}
