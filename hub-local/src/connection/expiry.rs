//! The end of a client that asked to be closed with its token.

use std::{future::pending, sync::Arc};

use tokio::time::sleep_until;

use super::{Connection, ending::Ending};

/// Waits for the moment that the token names; for ever without one.
pub(super) async fn reached(connection: &Arc<Connection>) -> Ending {
    let moment = connection.terms.expires.and_then(|at| connection.shared.clock.instant(at));
    let Some(moment) = moment else { return pending().await };
    // Few ask for it, so the timer is not in the future of every connection.
    Box::pin(sleep_until(moment)).await;
    Ending::expired()
}
