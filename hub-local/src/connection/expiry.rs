//! Closes a connection when its token expires, if the token requests this.

use std::{future::pending, sync::Arc};

use tokio::time::sleep_until;

use super::{Connection, ending::Ending};

/// Waits until the token expires. Never completes if the token does not request to close on expiry.
pub(super) async fn reached(connection: &Arc<Connection>) -> Ending {
    let moment =
        connection.token_options.expires.and_then(|at| connection.shared.clock.instant(at));
    let Some(moment) = moment else { return pending().await };
    // Boxed: few tokens request to close on expiry, and an inline timer would enlarge every
    // connection's future.
    Box::pin(sleep_until(moment)).await;
    Ending::expired()
}
