//! Health probes: with several endpoints, each endpoint is probed every two minutes.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::Endpoint;

/// The interval between probes.
const EVERY: Duration = Duration::from_secs(120);
/// The timeout of a probe.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);
/// The number of retries before an endpoint counts as offline.
const RETRIES: u32 = 2;
/// The delay before each retry.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// The probe tasks. Dropping the value aborts them.
#[derive(Debug)]
pub(super) struct Health {
    watching: OnceLock<JoinSet<()>>,
    /// The number of endpoints with a completed first probe.
    asked: watch::Sender<usize>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { watching: OnceLock::new(), asked: watch::Sender::new(0) }
    }

    /// Starts the probes at the first call, so that unused endpoints are not probed.
    pub(super) fn watch(&self, endpoints: &[Arc<Endpoint>]) {
        self.watching.get_or_init(|| {
            let mut watching = JoinSet::new();
            for endpoint in endpoints {
                let (endpoint, asked) = (Arc::clone(endpoint), self.asked.clone());
                watching.spawn(async move {
                    // The first probe has no retries, because clients wait for it.
                    let first = endpoint.probe().await;
                    endpoint.set_online(first);
                    asked.send_modify(|asked| *asked += 1);
                    keep_asking(&endpoint, first).await;
                });
            }
            watching
        });
    }

    /// Waits for the first probe of every endpoint: at most the timeout of a probe, plus the timeout of a
    /// token request for endpoints without an access key.
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
