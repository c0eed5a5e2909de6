//! The embedded service of a running app.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hub_local::LocalService;
use tokio::{sync::Notify, task::AbortHandle, time::timeout};

use crate::start_line::announce;

/// How long the service waits for [`Start::now`]. An app that another server serves does not call it.
const START_WAIT: Duration = Duration::from_millis(100);

/// The embedded service. Dropping the value stops the accept loop.
pub(crate) struct Embedded {
    pub(crate) service: LocalService,
    #[cfg_attr(
        not(feature = "server"),
        allow(dead_code, reason = "only the app's own server reads it")
    )]
    pub(crate) start: Arc<Start>,
    accept: Arc<OnceLock<AbortHandle>>,
}

/// The start of the accept loop. The listener is bound when the app is built, but clients are accepted only when
/// the app serves, because its program may be called with `--help`.
#[derive(Default)]
pub(crate) struct Start {
    begun: AtomicBool,
    notify: Notify,
    /// The line that announces the service.
    pub(crate) line: OnceLock<String>,
}

impl Start {
    /// Announces the service and accepts clients.
    pub(crate) fn now(&self) {
        if !self.begun.swap(true, Ordering::Relaxed) {
            self.line.get().into_iter().for_each(|line| announce(line));
            self.notify.notify_one();
        }
    }

    /// Waits for [`Self::now`], at most [`START_WAIT`].
    pub(crate) async fn begun(&self) {
        let _ = timeout(START_WAIT, self.notify.notified()).await;
        self.now();
    }
}

impl Embedded {
    pub(crate) fn new(
        service: LocalService,
        start: Arc<Start>,
        accept: Arc<OnceLock<AbortHandle>>,
    ) -> Self {
        Self { service, start, accept }
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
