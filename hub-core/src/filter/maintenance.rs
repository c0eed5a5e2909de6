//! A switch that refuses all calls, for maintenance.

use std::{fmt, sync::Arc};

use parking_lot::RwLock;

use super::Filter;
use crate::{HubError, HubResult, Invocation};

/// Refuses every call and every new connection while it is on.
///
/// Clones share one switch: pass one clone to the app, and toggle the switch through another clone.
///
/// ```
/// # use hub_core::Maintenance;
/// let maintenance = Maintenance::off();
/// // HubApp::builder().filter(maintenance.clone())
/// maintenance.begin("Back at ten");
/// assert!(maintenance.is_on());
/// maintenance.end();
/// ```
///
/// A refused new connection is closed. Running calls continue, and `on_disconnected` is never refused.
#[derive(Clone, Default)]
pub struct Maintenance {
    reason: Arc<RwLock<Option<String>>>,
}

impl fmt::Debug for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Maintenance({})", self.is_on())
    }
}

impl Maintenance {
    /// Creates a switch that is off.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// Creates a switch that is on. Clients receive `reason`.
    #[must_use]
    pub fn on(reason: impl Into<String>) -> Self {
        let maintenance = Self::off();
        maintenance.begin(reason);
        maintenance
    }

    /// Starts refusing calls. Clients receive `reason`.
    pub fn begin(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    /// Stops refusing calls.
    pub fn end(&self) {
        self.set(None);
    }

    /// Whether calls are refused.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.reason.read().is_some()
    }

    fn set(&self, reason: Option<String>) {
        *self.reason.write() = reason;
    }
}

impl Filter for Maintenance {
    async fn before(&self, _: &Invocation) -> HubResult {
        match &*self.reason.read() {
            None => Ok(()),
            Some(reason) => Err(HubError::denied(reason)),
        }
    }
}
