//! What all connections of a service share.

use std::sync::{Arc, atomic::AtomicU64};

use hub_net::clock::Clock;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    delivery::backlog::Backlog,
    limits::Limits,
    upstream::{Unmatched, Upstream},
};

pub(crate) struct Shared {
    pub(crate) limits: Limits,
    /// Whether clients are told in detail what they did wrong.
    pub(crate) detailed_errors: bool,
    pub(crate) clock: Clock,
    pub(crate) upstream: Option<Arc<dyn Upstream>>,
    pub(crate) unmatched: Unmatched,
    /// One permit for each upstream call that may run.
    pub(crate) upstream_calls: Semaphore,
    pub(crate) backlog: Arc<Backlog>,
    /// Every task of every connection, upstream calls included.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the service stops: open connections are closed and no new ones are accepted.
    pub(crate) closing: CancellationToken,
    /// The number of clients that were closed because they did not read.
    pub(crate) slow_clients: AtomicU64,
}
