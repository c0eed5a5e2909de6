//! Where clients come from.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use http::Uri;
use hub_core::protocol::Protocol;

use crate::{
    LoadArgs, LoadError, Shared,
    client::Client,
    connect::Connector,
    histogram::Histogram,
    negotiate::{Negotiator, hub_of},
    over_http::{HttpClient, http_client},
    progress::Progress,
    report::{Latency, Report},
    service::{self, Service},
    slow,
};

/// Negotiates and connects.
pub(crate) struct Entrance {
    pub(crate) negotiator: Negotiator,
    /// Keeps connections for negotiates, posts and polls.
    pub(crate) http: HttpClient,
    pub(crate) connector: Connector,
    /// For clients that do not read.
    slow: Connector,
    pub(crate) protocol: Protocol,
    url: Uri,
}

/// Who is connected.
#[derive(Default)]
pub(crate) struct Crowd {
    pub(crate) clients: Vec<Client>,
    pub(crate) slow: Vec<Client>,
}

impl Entrance {
    pub(crate) fn new(args: &LoadArgs) -> Result<Self, LoadError> {
        let url: Uri = args.url.parse().map_err(|_| LoadError::Url(args.url.clone()))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(LoadError::Url(args.url.clone()));
        }
        let connector = Connector::new(&url)?;
        let slow = Connector::with_receive_buffer(&url, Some(slow::RECEIVE_BUFFER))?;
        let http = http_client(connector.clone());
        let bearer = match (&args.bearer, &args.connection_string) {
            (None, Some(text)) => service::client_token(text, &url)?,
            (bearer, _) => bearer.clone(),
        };
        let negotiator = Negotiator::new(http.clone(), url.clone(), bearer, args);
        let protocol = args.protocol.into();
        Ok(Self { negotiator, http, connector, slow, protocol, url })
    }

    /// One client more.
    pub(crate) async fn client(&self) -> Result<Client, LoadError> {
        self.connect(&self.connector).await
    }

    async fn connect(&self, connector: &Connector) -> Result<Client, LoadError> {
        let door = self.negotiator.negotiate().await?;
        Client::open(connector, &self.http, door, self.protocol).await
    }

    /// The hub for REST calls, where a connection string was given.
    pub(crate) async fn service(&self, args: &LoadArgs) -> Result<Option<Service>, LoadError> {
        let Some(connection_string) = &args.connection_string else { return Ok(None) };
        let named = || hub_of(&self.url);
        let hub = match args.hub.clone().or_else(named) {
            Some(hub) => hub,
            None => self.negotiator.negotiate().await?.hub.ok_or_else(|| {
                LoadError::Arguments("negotiate names no hub: give it with --hub".to_owned())
            })?,
        };
        Service::new(connection_string, &hub).map(Some)
    }

    /// Connects everyone, several at a time.
    pub(crate) async fn connect_all(
        &self,
        shared: &Shared,
        report: &mut Report,
    ) -> Result<Crowd, LoadError> {
        let args = &shared.args;
        let (mut crowd, mut histogram) = (Crowd::default(), Histogram::default());
        let progress = Progress::new(args);
        let began = Instant::now();
        let slow_clients = args.slow_clients();
        let connecting = (0..args.clients).map(|index| async move {
            let (began, is_slow) = (Instant::now(), index < slow_clients);
            let connector = if is_slow { &self.slow } else { &self.connector };
            self.connect(connector).await.map(|client| (client, is_slow, began.elapsed()))
        });
        let mut connecting = stream::iter(connecting).buffer_unordered(args.connects);
        let mut failed = None;
        while let Some(connected) = connecting.next().await {
            match connected {
                Ok((client, is_slow, took)) => {
                    histogram.record(took);
                    if is_slow { &mut crowd.slow } else { &mut crowd.clients }.push(client);
                }
                Err(error) => {
                    shared.stats.error(&error);
                    failed = Some(error);
                }
            }
            progress.connecting(crowd.clients.len() + crowd.slow.len());
        }
        if let (true, Some(error)) = (crowd.clients.is_empty(), failed) {
            return Err(error);
        }
        report.slow = crowd.slow.len();
        report.clients = crowd.clients.len() + report.slow;
        report.connects_per_second = report.clients as f64 / began.elapsed().as_secs_f64();
        report.connect = Latency::of(&histogram);
        Ok(crowd)
    }
}
