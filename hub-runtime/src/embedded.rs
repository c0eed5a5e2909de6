//! The embedded service of a running app.

use std::sync::{Arc, OnceLock};

use hub_local::LocalService;
use tokio::task::AbortHandle;

/// The embedded service. Dropping the value stops the accept loop.
pub(crate) struct Embedded {
    pub(crate) service: LocalService,
    accept: Arc<OnceLock<AbortHandle>>,
}

impl Embedded {
    pub(crate) fn new(service: LocalService, accept: Arc<OnceLock<AbortHandle>>) -> Self {
        Self { service, accept }
    }

    pub(crate) async fn shutdown(&self) {
        self.service.shutdown().await;
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(accept) = self.accept.get() {
            accept.abort();
        }
    }
}
