//! The app: mounted hubs on one service, behind one value.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hub_core::{Contract, Hub, HubContext, mounted::MountedHub, shape::Schemas};
use tokio_util::task::TaskTracker;

use crate::{
    build::HubAppBuilder,
    clock::Clock,
    cors::Cors,
    counters::{Counters, Counts},
    endpoints::ServiceEndpoint,
    home::Home,
    negotiate_limit::Limiter,
    routes::Routes,
    service::HubService,
    upstream::UpstreamOptions,
};

/// Hubs on a SignalR service: takes the service's upstream calls, negotiates, and sends.
///
/// Cheap to clone; the embedded service stops with the last clone.
#[derive(Clone)]
pub struct HubApp {
    pub(crate) inner: Arc<Inner>,
}

/// What every clone shares.
pub(crate) struct Inner {
    pub(crate) hubs: Hubs,
    /// Where the first hub lives.
    pub(crate) home: Arc<Home>,
    /// Where the hubs live, the first one's home among them.
    pub(crate) homes: Vec<Arc<Home>>,
    pub(crate) upstream: UpstreamOptions,
    pub(crate) negotiate: NegotiateOptions,
    pub(crate) routes: Routes,
    pub(crate) clock: Clock,
    /// Running calls, and calls whose peer hung up.
    pub(crate) tasks: TaskTracker,
    pub(crate) counts: Counts,
    pub(crate) shutdown_wait: Duration,
    pub(crate) closing: AtomicBool,
    /// The Functions host calls the app, so that calls in its own form are its calls.
    #[cfg(feature = "functions")]
    pub(crate) functions_host: AtomicBool,
    /// The key that every emulator knows: nothing may bind beyond loopback with it.
    #[cfg(feature = "server")]
    pub(crate) well_known_key: bool,
    #[cfg(feature = "local")]
    pub(crate) embedded: Option<crate::embedded::Embedded>,
}

/// What negotiate needs besides the hub's own judgement.
#[derive(Debug)]
pub(crate) struct NegotiateOptions {
    pub(crate) cors: Cors,
    pub(crate) limit: Option<Limiter>,
    pub(crate) trust_app_service: bool,
    pub(crate) warned_app_service: AtomicBool,
}

/// The mounted hubs.
#[derive(Default)]
pub(crate) struct Hubs {
    /// Few, so that looking at each is quicker than hashing a name.
    mounts: Vec<Mount>,
}

/// A hub and its name on the wire.
#[derive(Clone)]
pub(crate) struct Mount {
    pub(crate) hub: Arc<dyn MountedHub>,
    pub(crate) wire_name: Arc<str>,
    pub(crate) home: Arc<Home>,
}

impl Hubs {
    pub(crate) fn insert(&mut self, hub: Arc<dyn MountedHub>, home: &Arc<Home>) {
        let wire_name: Arc<str> = home.wire_name(hub.name()).into();
        self.mounts.push(Mount { hub, wire_name, home: Arc::clone(home) });
    }

    /// A hub by its name in any case.
    pub(crate) fn find(&self, name: &str) -> Option<Mount> {
        self.mounts.iter().find(|mount| mount.hub.name().eq_ignore_ascii_case(name)).cloned()
    }

    /// A hub by its name at the service, in any case.
    pub(crate) fn find_at_service(&self, name: &str) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.wire_name.eq_ignore_ascii_case(name))
    }

    /// The only hub, if there is just one.
    pub(crate) fn single(&self) -> Option<Mount> {
        let [only] = &self.mounts[..] else { return None };
        Some(only.clone())
    }

    /// Every hub, in the order of their names.
    pub(crate) fn all(&self) -> Vec<Mount> {
        let mut mounts = self.mounts.clone();
        mounts.sort_unstable_by(|left, right| left.wire_name.cmp(&right.wire_name));
        mounts
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.mounts.iter().map(|mount| &*mount.wire_name).collect();
        names.sort_unstable();
        names
    }
}

/// The service writes hub names in lower case.
pub(crate) fn wire_name(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl HubApp {
    /// Begins an app.
    ///
    /// ```
    /// # use hub_runtime::prelude::*;
    /// # #[derive(Default)] struct Chat;
    /// # #[serverless_hub] impl Chat {}
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = HubApp::builder().signalr(SignalR::local()).hub(Chat::default()).build()?;
    /// # drop(app); Ok(()) }
    /// ```
    pub fn builder() -> HubAppBuilder {
        HubAppBuilder::new()
    }

    /// The app as a tower service: upstream calls, negotiates and `/health`, for any body type.
    #[must_use]
    pub fn service(&self) -> HubService {
        HubService::new(Arc::clone(&self.inner))
    }

    /// Handles to send from outside a hub: timers, queues, HTTP handlers. Cheap to clone.
    #[must_use]
    pub fn context<H: Hub>(&self) -> HubContext<H> {
        let mount = self.inner.hubs.find(H::NAME);
        let home = mount.as_ref().map_or(&self.inner.home, |mount| &mount.home);
        HubContext::new(Arc::clone(&home.outbound), home.wire_name(H::NAME).into())
    }

    /// Where negotiate sends clients: scheme, host and port of the service. A page's content security
    /// policy must allow connections there. Of several, this is the first; see [`Self::client_urls`].
    #[must_use]
    pub fn client_url(&self) -> &str {
        self.inner.home.client_bases().next().unwrap_or_default()
    }

    /// Everywhere that negotiate sends clients, when hubs live at several services.
    #[must_use]
    pub fn client_urls(&self) -> Vec<&str> {
        let mut urls: Vec<_> =
            self.inner.homes.iter().flat_map(|home| home.client_bases()).collect();
        urls.sort_unstable();
        urls.dedup();
        urls
    }

    /// What clients of the app can call and must answer to, as one document: names and doc comments, and
    /// with the feature `schema` the JSON Schema of each argument and result.
    ///
    /// ```
    /// # use hub_runtime::prelude::*;
    /// # struct Chat;
    /// #[serverless_hub]
    /// impl Chat {
    ///     /// Says something to a room.
    ///     async fn say(&self, room: String, text: String) {}
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = HubApp::builder().signalr(SignalR::local()).hub(Chat).build()?;
    /// let document = app.contract().to_string();
    /// assert!(document.contains("Says something to a room."));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn contract(&self) -> Contract {
        let mut schemas = Schemas::default();
        let hubs = self.inner.hubs.all().into_iter();
        let hubs = hubs.map(|mount| mount.hub.describe(&mut schemas)).collect();
        Contract::new(hubs, schemas)
    }

    /// The endpoints of the service that a hub lives at, as they are now.
    #[must_use]
    pub fn endpoints<H: Hub>(&self) -> Vec<ServiceEndpoint> {
        let mount = self.inner.hubs.find(H::NAME);
        let home = mount.as_ref().map_or(&self.inner.home, |mount| &mount.home);
        home.endpoints.views()
    }

    /// What the app has counted since it started.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.inner.counts.read()
    }

    /// Ends the app in an orderly way: refuses negotiates and new clients, closes every client of the
    /// embedded service with leave to reconnect, delivers each `disconnected`, and waits for running
    /// calls (10 s unless [`HubAppBuilder::shutdown_wait`] says otherwise).
    pub async fn shutdown(&self) {
        self.inner.closing.store(true, Ordering::SeqCst);
        let orderly = async {
            #[cfg(feature = "local")]
            if let Some(embedded) = &self.inner.embedded {
                embedded.shutdown().await;
            }
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
        };
        if tokio::time::timeout(self.inner.shutdown_wait, orderly).await.is_err() {
            tracing::warn!(waited = ?self.inner.shutdown_wait, "calls were still running at the end");
        }
    }
}

impl Inner {
    /// Whether [`HubApp::shutdown`] has begun.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for HubApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubApp").field("hubs", &self.inner.hubs.names()).finish_non_exhaustive()
    }
}
