//! Clients that are connected and do nothing.

use std::sync::Arc;

use crate::{Shared, client::Client};

/// Reads, and answers pings, until the run is done.
pub(crate) async fn run(mut client: Client, shared: Arc<Shared>) {
    tokio::select! {
        biased;
        () = shared.done.cancelled() => {}
        error = async { loop { if let Err(error) = client.read(|_| {}).await { break error } } } => {
            return shared.stats.error(error);
        }
    }
    client.leave().await;
}
