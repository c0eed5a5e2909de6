//! From a checked builder to a running app, in the order of the lifecycle.

use std::sync::{Arc, atomic::AtomicBool};

use http::Uri;
use hub_core::{Secret, outbound::Outbound};
use tokio_util::task::TaskTracker;

use crate::{
    HubApp,
    app::{Inner, NegotiateOptions},
    auth::ClientTokens,
    builder::{BuildError, HubAppBuilder},
    clock::Clock,
    config::{
        self, Plan, SignalR,
        connection_string::{ConnectionString, path_of},
        env::{self, Variables},
    },
    cors::Cors,
    counters::Counts,
    keys::Keys,
    negotiate_limit::Limiter,
    rest::{Caller, RestOutbound, transport::Transport},
    routes::Routes,
    upstream::UpstreamOptions,
};

/// Where the service is, once that is known.
pub(crate) struct Service {
    pub(crate) client_base: String,
    /// What client tokens name as their audience.
    pub(crate) audience: Uri,
    pub(crate) rest_base: String,
    pub(crate) key: Secret,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) is_embedded: bool,
}

pub(crate) fn assemble(mut builder: HubAppBuilder) -> Result<HubApp, BuildError> {
    let Some(signalr) = builder.signalr.take() else {
        return Err(BuildError::Problems(Vec::new()));
    };
    match &signalr.plan {
        Plan::Service(service) => {
            let service = elsewhere(service)?;
            Ok(HubApp { inner: Arc::new(inner(builder, &signalr, service)) })
        }
        #[cfg(feature = "local")]
        Plan::Local(plan) => crate::embedded::assemble(builder, &signalr, plan),
        #[cfg(not(feature = "local"))]
        Plan::Local(_) => Err(BuildError::Feature("local")),
    }
}

/// What all clones of the app share, for a service whose address is known.
pub(crate) fn inner(mut builder: HubAppBuilder, signalr: &SignalR, service: Service) -> Inner {
    let clock = Clock::start();
    let older = signalr.previous_access_key.clone();
    let keys = Keys::new(service.key.clone(), older, signalr.claims_key.as_ref());
    #[cfg(feature = "server")]
    let well_known_key = service.key.expose() == config::WELL_KNOWN_KEY;
    let seal_key = keys.signing_seal();
    let tokens = ClientTokens::new(&service.audience, service.key.clone(), seal_key);
    let (transport, base) = (service.transport, service.rest_base);
    let caller = Caller::new(transport, base, service.key, clock, builder.rest);
    let rest: Arc<dyn Outbound> = Arc::new(RestOutbound { caller });
    let outbound = match builder.wrap_outbound.take() {
        Some(wrap) => wrap(rest),
        None => rest,
    };
    let cors =
        Cors { origins: std::mem::take(&mut builder.origins), allow_loopback: service.is_embedded };
    let behind_app_service = env::process
        .set(env::APP_SERVICE_AUTH)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Inner {
        hubs: builder.mounted(),
        keys,
        outbound,
        upstream: UpstreamOptions {
            trust_plain_claims: signalr.trust_plain_claims,
            detailed_errors: builder.detailed_errors || service.is_embedded,
            keep_refused_connections: builder.keep_refused_connections,
            max_body: builder.max_body,
            ..UpstreamOptions::default()
        },
        negotiate: NegotiateOptions {
            tokens,
            client_base: service.client_base,
            cors,
            limit: builder.negotiate_limit.map(Limiter::new),
            trust_app_service: builder.trust_app_service || behind_app_service,
            warned_app_service: AtomicBool::new(false),
        },
        routes: Routes::new(&builder.route_prefix, builder.upstream_paths, builder.upstream_code),
        clock,
        tasks: TaskTracker::new(),
        counts: Counts::default(),
        shutdown_wait: builder.shutdown_wait,
        closing: AtomicBool::new(false),
        #[cfg(feature = "functions")]
        functions_host: AtomicBool::new(false),
        #[cfg(feature = "server")]
        well_known_key,
        #[cfg(feature = "local")]
        embedded: None,
    }
}

/// The service of a connection string.
fn elsewhere(service: &ConnectionString) -> Result<Service, BuildError> {
    warn_about_weaknesses(service);
    let client = service.client_endpoint.as_ref().unwrap_or(&service.endpoint);
    let server = service.server_endpoint.as_ref().unwrap_or(&service.endpoint);
    Ok(Service {
        client_base: base_of(client),
        audience: service.endpoint.clone(),
        rest_base: base_of(server),
        key: service.access_key.clone(),
        transport: http_transport(server.scheme_str() == Some("https"))?,
        is_embedded: false,
    })
}

/// What works, and should not be in production.
fn warn_about_weaknesses(service: &ConnectionString) {
    let plain = |uri: &&Uri| {
        uri.scheme_str() == Some("http") && !uri.host().is_some_and(config::is_loopback)
    };
    if let Some(endpoint) = service.endpoints().find(plain) {
        tracing::warn!(%endpoint, "tokens and messages travel unencrypted: use https outside of a private network");
    }
    if service.access_key.expose().len() < config::MIN_CLAIMS_KEY {
        tracing::warn!("the access key is shorter than 32 bytes and can be guessed");
    }
}

/// A base URI as text, without a closing slash.
pub(crate) fn base_of(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{scheme}://{authority}{}", path_of(uri))
}

#[cfg(feature = "rest")]
fn http_transport(needs_tls: bool) -> Result<Arc<dyn Transport>, BuildError> {
    crate::rest::transport::http(needs_tls).map_err(BuildError::HttpClient)
}

#[cfg(not(feature = "rest"))]
fn http_transport(_: bool) -> Result<Arc<dyn Transport>, BuildError> {
    Err(BuildError::Feature("rest"))
}
