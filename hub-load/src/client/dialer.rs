//! Negotiates and connects clients.

use std::{sync::Arc, time::Instant};

use futures_util::{StreamExt as _, stream};
use http::Uri;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Client,
    connector::{Connector, connector},
    negotiate::{Negotiator, hub_of},
    request::http_client,
};
use crate::{
    LoadArgs, LoadError,
    measure::{
        histogram::Histogram,
        progress::Progress,
        report::{Latency, Report},
        stats::Stats,
    },
    rest::{self, RestClient},
};

/// Receive buffer of clients that never read, in bytes. Operating systems round this size up.
const SLOW_RECEIVE_BUFFER_BYTES: usize = 4096;

/// Connects clients to one hub.
pub(crate) struct Dialer {
    /// The HTTP client of the negotiator also pools the connections for posts and polls.
    negotiator: Negotiator,
    connector: Connector,
    /// Opens connections of clients that never read.
    slow: Connector,
}

/// The connected clients.
#[derive(Default)]
pub(crate) struct Clients {
    pub(crate) reading: Vec<Client>,
    pub(crate) slow: Vec<Client>,
}

impl Dialer {
    pub(crate) fn new(args: &LoadArgs) -> Result<Self, LoadError> {
        let url: Uri = args.url.parse().map_err(|_| LoadError::Url(args.url.clone()))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(LoadError::Url(args.url.clone()));
        }
        let slow = connector(&url, Some(SLOW_RECEIVE_BUFFER_BYTES))?;
        let connector = connector(&url, None)?;
        let bearer = match (&args.bearer, &args.connection_string) {
            (None, Some(text)) => rest::client_token(text, &url)?,
            (bearer, _) => bearer.clone(),
        };
        let client = http_client(connector.clone());
        let (transport, protocol) = (args.transport, args.protocol.into());
        let negotiator = Negotiator { client, url, bearer, transport, protocol };
        Ok(Self { negotiator, connector, slow })
    }

    /// Connects one client.
    pub(crate) async fn client(&self) -> Result<Client, LoadError> {
        self.connect(&self.connector).await
    }

    async fn connect(&self, connector: &Connector) -> Result<Client, LoadError> {
        let negotiator = &self.negotiator;
        let endpoint = negotiator.negotiate().await?;
        Client::open(connector, &negotiator.client, endpoint, negotiator.protocol).await
    }

    /// Creates a REST client if a connection string is configured.
    pub(crate) async fn rest_client(
        &self,
        args: &LoadArgs,
    ) -> Result<Option<RestClient>, LoadError> {
        let Some(connection_string) = &args.connection_string else { return Ok(None) };
        let named = || hub_of(&self.negotiator.url);
        let hub = match args.hub.clone().or_else(named) {
            Some(hub) => hub,
            None => hub_of(&self.negotiator.negotiate().await?.url).ok_or_else(|| {
                LoadError::Arguments("the negotiate response contains no hub: use --hub".to_owned())
            })?,
        };
        RestClient::new(connection_string, &hub).map(Some)
    }

    /// Connects all clients, several at a time, on all threads of the runtime.
    pub(crate) async fn connect_all(
        self: &Arc<Self>,
        args: &LoadArgs,
        stats: &Stats,
        report: &mut Report,
    ) -> Result<Clients, LoadError> {
        let (mut all, mut histogram) = (Clients::default(), Histogram::default());
        let progress = Progress::new(args);
        let began = Instant::now();
        let slow_clients = args.slow_clients();
        let connecting = (0..args.clients).map(|index| {
            let (dialer, is_slow) = (Arc::clone(self), index < slow_clients);
            AbortOnDropHandle::new(tokio::spawn(async move {
                let began = Instant::now();
                let connector = if is_slow { &dialer.slow } else { &dialer.connector };
                dialer.connect(connector).await.map(|client| (client, is_slow, began.elapsed()))
            }))
        });
        let mut connecting = stream::iter(connecting).buffer_unordered(args.connects);
        let mut failed = None;
        while let Some(connected) = connecting.next().await {
            match connected.map_err(LoadError::protocol)? {
                Ok((client, is_slow, took)) => {
                    histogram.record(took);
                    if is_slow { &mut all.slow } else { &mut all.reading }.push(client);
                }
                Err(error) => {
                    stats.error(&error);
                    failed = Some(error);
                }
            }
            progress.connecting(all.reading.len() + all.slow.len());
        }
        if let (true, Some(error)) = (all.reading.is_empty(), failed) {
            return Err(error);
        }
        report.slow = all.slow.len();
        report.clients = all.reading.len() + report.slow;
        report.connects_per_second = report.clients as f64 / began.elapsed().as_secs_f64();
        report.connect = Latency::of(&histogram);
        Ok(all)
    }
}
