//! Nobody comes in for a while.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::Filter;
use crate::{HubError, HubResult, Invocation};

/// Refuses every call and every new connection while it is on.
///
/// Clones are one switch: give one to the app and keep another to turn it.
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
/// A new connection that it refuses is closed, as every denied one; calls that run go on, and
/// `on_disconnected` is never refused.
#[derive(Clone, Default)]
pub struct Maintenance {
    reason: Arc<RwLock<Option<String>>>,
}

impl Maintenance {
    /// A switch that lets everything through for now.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// A switch that refuses from the start, with a text that clients read.
    #[must_use]
    pub fn on(reason: impl Into<String>) -> Self {
        let maintenance = Self::off();
        maintenance.begin(reason);
        maintenance
    }

    /// Refuses from now on. Clients read `reason`.
    pub fn begin(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    /// Lets everything through again.
    pub fn end(&self) {
        self.set(None);
    }

    /// Whether calls are refused.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.reason.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn set(&self, reason: Option<String>) {
        *self.reason.write().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

impl Filter for Maintenance {
    async fn before(&self, _: &Invocation) -> HubResult {
        match &*self.reason.read().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(reason) => Err(HubError::denied(reason)),
        }
    }
}

impl fmt::Debug for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Maintenance").field(&self.is_on()).finish()
    }
}
