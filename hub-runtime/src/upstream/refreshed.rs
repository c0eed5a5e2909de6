//! `on_refreshed`: the app itself reports the refresh of a connection, because the service has no such event.

use std::sync::Arc;

use hub_core::{Category, InvocationParts, Negotiation, Query};

use super::{Method, started_call::StartedCall};
use crate::shared::{Inner, Mount};

/// Runs the hub's `on_refreshed`, if it has one. Its error is logged.
pub(crate) async fn report(
    app: &Arc<Inner>,
    mount: &Arc<Mount>,
    connection_id: &str,
    negotiation: &Negotiation,
    query: Query,
) {
    const EVENT: &str = "refreshed";
    let Some(row) = mount.hub.find(Category::Refreshed, EVENT) else { return };
    let hub = Arc::clone(&mount.wire_name);
    let parts = InvocationParts {
        user_id: negotiation.user_id().map(Arc::from),
        claims: negotiation.claims(),
        query,
        arrived: app.clock.elapsed(),
        ..InvocationParts::new(hub, Category::Refreshed, EVENT, connection_id)
    };
    let method = Method { row: Some(row), name: EVENT };
    let call = StartedCall::new(Arc::clone(app), Arc::clone(mount), method, parts);
    // There is no upstream call to answer. `StartedCall` catches panics.
    _ = call.await;
}
