//! The app: a value with all mounted hubs and their services.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use hub_core::{Contract, Hub, HubContext, Negotiation, shape::Schemas};

use crate::{
    build::HubAppBuilder,
    counters::Counters,
    endpoints::ServiceEndpoint,
    negotiate::{ConnectionInfo, NegotiateError, issue::connection_info},
    service::HubService,
    shared::{Inner, Mount},
};

/// An app with hubs on a SignalR service. The app handles upstream calls and negotiate requests, and
/// sends to clients.
///
/// Cheap to clone. The embedded service stops when the last clone is dropped.
#[derive(Clone)]
pub struct HubApp {
    pub(crate) inner: Arc<Inner>,
}

impl fmt::Debug for HubApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubApp({:?})", self.inner.hubs.names())
    }
}

impl HubApp {
    /// Returns a builder.
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

    /// The app as a tower service: upstream calls, negotiate requests and `/health`, for any body type.
    #[must_use]
    pub fn service(&self) -> HubService {
        HubService::new(Arc::clone(&self.inner))
    }

    /// A handle to send from outside a hub: from a timer, a queue or an HTTP handler. Cheap to clone.
    ///
    /// # Panics
    /// If the app does not mount the hub: add `.hub(…)` to the builder.
    #[must_use]
    #[track_caller]
    pub fn context<H: Hub>(&self) -> HubContext<H> {
        let mount = self.mount::<H>();
        HubContext::new(Arc::clone(&mount.group.outbound), Arc::clone(&mount.wire_name))
    }

    /// Makes the URL and the token for a client of the hub, outside of its negotiate route: in a handler of the app's
    /// own, or in a function with another trigger. The hub's `negotiate` does not run, and the caller decides who
    /// connects. The value serializes to the JSON that clients expect.
    ///
    /// ```
    /// # use hub_runtime::{negotiate::ConnectionInfo, prelude::*};
    /// # struct Chat;
    /// # #[serverless_hub] impl Chat {}
    /// /// For example the handler of `POST /login`.
    /// async fn login(app: HubApp, user: &str) -> HubResult<ConnectionInfo> {
    ///     Ok(app.negotiate::<Chat>(Negotiation::user(user).claim("role", "reader")).await?)
    /// }
    /// ```
    ///
    /// # Errors
    /// When the user id is not valid, the token is too long, the app cannot sign in, or no endpoint of the service
    /// is online.
    ///
    /// # Panics
    /// If the app does not mount the hub: add `.hub(…)` to the builder.
    #[track_caller]
    pub fn negotiate<H: Hub>(
        &self,
        negotiation: Negotiation,
    ) -> impl Future<Output = Result<ConnectionInfo, NegotiateError>> + Send + use<H> {
        let (app, mount) = (Arc::clone(&self.inner), self.mount::<H>());
        async move { connection_info(&app, &mount, negotiation).await }
    }

    /// The URL to which negotiate redirects clients: scheme, host and port of the service. The content
    /// security policy of a page must allow connections to this URL. If there are several URLs, returns the
    /// first; see [`Self::client_urls`].
    #[must_use]
    pub fn client_url(&self) -> &str {
        self.inner.first_group.client_bases().next().unwrap_or_default()
    }

    /// All URLs to which negotiate redirects clients, for hubs on several services or endpoints.
    #[must_use]
    pub fn client_urls(&self) -> Vec<&str> {
        let mut urls: Vec<_> =
            self.inner.groups.iter().flat_map(|group| group.client_bases()).collect();
        urls.sort_unstable();
        urls.dedup();
        urls
    }

    /// The methods that clients can call and the methods that clients implement, as one document. The document
    /// contains names and doc comments, and with the feature `schema` the JSON Schema of each argument and
    /// result.
    ///
    /// ```
    /// # use hub_runtime::prelude::*;
    /// # struct Chat;
    /// #[serverless_hub]
    /// impl Chat {
    ///     /// Sends a text to a room.
    ///     async fn say(&self, room: String, text: String) {}
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let app = HubApp::builder().signalr(SignalR::local()).hub(Chat).build()?;
    /// let document = app.contract().to_string();
    /// assert!(document.contains("Sends a text to a room."));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn contract(&self) -> Contract {
        self.contract_of(Schemas::default())
    }

    /// The contract with schemas of another draft of JSON Schema.
    pub(crate) fn contract_of(&self, mut schemas: Schemas) -> Contract {
        let hubs = self.inner.hubs.all().into_iter();
        let hubs = hubs.map(|mount| mount.hub.describe(&mut schemas)).collect();
        Contract::new(hubs, schemas)
    }

    /// The endpoints of the service of a hub, with their current state.
    ///
    /// # Panics
    /// If the app does not mount the hub: add `.hub(…)` to the builder.
    #[must_use]
    #[track_caller]
    pub fn endpoints<H: Hub>(&self) -> Vec<ServiceEndpoint> {
        self.mount::<H>().group.endpoints.views()
    }

    #[track_caller]
    fn mount<H: Hub>(&self) -> Arc<Mount> {
        let hubs = &self.inner.hubs;
        hubs.find(H::NAME).unwrap_or_else(|| {
            panic!(
                "the hub `{}` is not mounted: add `.hub(…)` for `{}` to the builder; mounted hubs: {}",
                H::NAME,
                std::any::type_name::<H>(),
                hubs.names().join(", "),
            )
        })
    }

    /// The counters of the app since its start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters { wrong_codes: self.inner.wrong_codes.count(), ..self.inner.counts.read() }
    }

    /// Stops the app gracefully: refuses negotiate requests and new clients, closes every client of the
    /// embedded service with `allowReconnect`, delivers each `disconnected`, and waits for running
    /// calls ([`HubAppBuilder::shutdown_wait`], defaults to 10 s).
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
            tracing::warn!(waited = ?self.inner.shutdown_wait, "calls were still running at the end of the shutdown");
        }
    }
}
