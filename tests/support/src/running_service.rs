//! A local service on loopback that calls its app over HTTP.

use hub_local::{HttpUpstream, LocalService, Template};
use tokio::{net::TcpListener, task::JoinSet};

use crate::Client;

/// The service. It stops when the value is dropped.
#[derive(Debug)]
pub struct RunningService {
    /// The service itself.
    pub service: LocalService,
    upstream: HttpUpstream,
    _serving: JoinSet<()>,
}

impl RunningService {
    /// Starts the service on a free port, without an upstream.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = HttpUpstream::with_templates([]);
        let service = LocalService::builder()
            .upstream(upstream.clone())
            .public_url(format!("http://{}", listener.local_addr().unwrap()))
            .build();
        let serve = service.serve(listener);
        let mut serving = JoinSet::new();
        serving.spawn(async move { serve.await.unwrap() });
        Self { service, upstream, _serving: serving }
    }

    /// Returns the connection string, for the settings of an app.
    #[must_use]
    pub fn connection_string(&self) -> String {
        self.service.connection_string().expose().to_owned()
    }

    /// Sets the upstream templates of later calls.
    pub fn set_upstream(&self, templates: impl IntoIterator<Item = Template>) {
        self.upstream.replace(templates);
    }

    /// Connects in memory with the URL and token of a negotiate response. The caller performs the
    /// handshake.
    #[must_use]
    pub fn connect(&self, negotiated: &serde_json::Value) -> Client {
        let [url, token] = ["url", "accessToken"].map(|name| negotiated[name].as_str().unwrap());
        Client::in_memory(self.service.connect_memory(url, token).unwrap())
    }
}
