//! Which of several endpoints are online: each is asked every two minutes.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::Endpoint;

/// How often an endpoint is asked.
const EVERY: Duration = Duration::from_secs(120);
/// How long it may take to answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);
/// How often it is asked again before it counts as offline, and how long in between.
const RETRIES: u32 = 2;
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// The probes; they end with the value.
#[derive(Debug)]
pub(super) struct Health {
    watching: OnceLock<JoinSet<()>>,
    /// How many endpoints have been asked for the first time.
    asked: watch::Sender<usize>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { watching: OnceLock::new(), asked: watch::Sender::new(0) }
    }

    /// Begins to ask, once. Nothing is asked of endpoints that nobody uses.
    pub(super) fn watch(&self, endpoints: &[Arc<Endpoint>]) {
        self.watching.get_or_init(|| {
            let mut watching = JoinSet::new();
            for endpoint in endpoints {
                let (endpoint, asked) = (Arc::clone(endpoint), self.asked.clone());
                watching.spawn(async move {
                    // At first one answer decides: clients are waiting.
                    let first = endpoint.probe().await;
                    endpoint.set_online(first);
                    asked.send_modify(|asked| *asked += 1);
                    keep_asking(&endpoint, first).await;
                });
            }
            watching
        });
    }

    /// Waits until every endpoint has been asked once, which takes a time-out at most, and
    /// that of a token where there is no access key.
    pub(super) async fn known(&self, endpoints: &[Arc<Endpoint>]) {
        self.watch(endpoints);
        // The sender is `self`, so the wait cannot fail.
        let _ = self.asked.subscribe().wait_for(|asked| *asked >= endpoints.len()).await;
    }
}

async fn keep_asking(endpoint: &Endpoint, mut online: bool) {
    loop {
        for _ in 0..RETRIES {
            if online {
                break;
            }
            sleep(RETRY_AFTER).await;
            online = endpoint.probe().await;
        }
        endpoint.set_online(online);
        sleep(EVERY).await;
        online = endpoint.probe().await;
    }
}
