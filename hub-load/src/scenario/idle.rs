//! Clients that are connected without traffic.

use std::sync::Arc;

use super::Shared;
use crate::client::Client;

/// Reads and responds to pings until the run ends.
pub(crate) async fn run(mut client: Client, shared: Arc<Shared>) {
    tokio::select! {
        biased;
        () = shared.done.cancelled() => {}
        error = async { loop { if let Err(error) = client.read(|_| {}).await { break error } } } => {
            return shared.stats.error(error);
        }
    }
    client.close().await;
}
