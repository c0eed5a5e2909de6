//! From a checked builder to a running app, in the order of the lifecycle.

use std::sync::{Arc, atomic::AtomicBool};

use http::Uri;
use tokio_util::task::TaskTracker;

use crate::{
    HubApp,
    app::{Hubs, Inner, NegotiateOptions},
    builder::{BuildError, HubAppBuilder},
    clock::Clock,
    config::{
        self, Plan, SignalR,
        endpoint::EndpointPlan,
        env::{self, Variables},
    },
    cors::Cors,
    counters::Counts,
    home::{Address, Home},
    negotiate_limit::Limiter,
    plan::Household,
    rest::transport::Transport,
    routes::Routes,
    start_table,
    upstream::UpstreamOptions,
};

pub(crate) fn assemble(
    mut builder: HubAppBuilder,
    signalr: &SignalR,
    households: Vec<Household>,
) -> Result<HubApp, BuildError> {
    let clock = Clock::start();
    let transport = transport(&households)?;
    let local = households.iter().find_map(|household| match &household.connection.plan {
        Plan::Local(plan) => Some(plan.clone()),
        Plan::Service(_) | Plan::Missing(_) => None,
    });
    #[cfg(feature = "local")]
    let opened = local
        .map(|plan| {
            let (after_call, operator) = (builder.after_call.take(), builder.operator.take());
            crate::embedded::open(&plan, after_call, operator)
        })
        .transpose()?;
    #[cfg(not(feature = "local"))]
    if local.is_some() {
        return Err(BuildError::Feature("local"));
    }

    let rest = signalr.rest.options(&builder);
    let (mut hubs, mut homes) = (Hubs::default(), Vec::new());
    for Household { connection, hubs: here } in households {
        let address = match &connection.plan {
            Plan::Service(endpoints) => endpoints
                .first()
                .zip(transport.as_ref())
                .and_then(|(endpoint, transport)| Address::of(endpoint, Arc::clone(transport))),
            #[cfg(feature = "local")]
            Plan::Local(_) => opened.as_ref().map(|opened| opened.address()),
            _ => None,
        };
        let Some(address) = address else { continue };
        let home =
            Arc::new(Home::new(&connection, address, clock, rest, builder.wrap_outbound.take()));
        for hub in here {
            start_table::mounted(&*hub);
            hubs.insert(hub, &home);
        }
        homes.push(home);
    }
    start_table::not_mounted(&hubs);
    let Some(home) = homes.first().cloned() else {
        return Err(BuildError::Problems(Vec::new()));
    };
    let mut inner = inner(builder, signalr, hubs, home, homes, clock);
    #[cfg(feature = "local")]
    {
        inner.embedded = opened.as_ref().map(|opened| opened.embedded());
    }
    let app = HubApp { inner: Arc::new(inner) };
    #[cfg(feature = "local")]
    if let Some(opened) = opened {
        opened.serve(&app);
    }
    Ok(app)
}

/// What all clones of the app share.
fn inner(
    builder: HubAppBuilder,
    signalr: &SignalR,
    hubs: Hubs,
    home: Arc<Home>,
    homes: Vec<Arc<Home>>,
    clock: Clock,
) -> Inner {
    let all_embedded = homes.iter().all(|home| home.is_embedded);
    let origins = builder.origins.iter().chain(&signalr.origins).cloned().collect();
    let behind_app_service = env::process
        .set(env::APP_SERVICE_AUTH)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Inner {
        #[cfg(feature = "server")]
        well_known_key: homes.iter().any(|home| home.keys.knows(config::WELL_KNOWN_KEY)),
        hubs,
        home,
        homes,
        upstream: UpstreamOptions {
            trust_plain_claims: signalr.trust_plain_claims,
            detailed_errors: builder.detailed_errors || all_embedded,
            keep_refused_connections: builder.keep_refused_connections,
            max_body: builder.max_body,
            ..UpstreamOptions::default()
        },
        negotiate: NegotiateOptions {
            cors: Cors { origins, allow_loopback: all_embedded },
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
        #[cfg(feature = "local")]
        embedded: None,
    }
}

/// The one pool of connections to services elsewhere, if there are any.
fn transport(households: &[Household]) -> Result<Option<Arc<dyn Transport>>, BuildError> {
    let endpoints = || {
        households.iter().flat_map(|household| match &household.connection.plan {
            Plan::Service(endpoints) => endpoints.as_slice(),
            Plan::Local(_) | Plan::Missing(_) => &[],
        })
    };
    if endpoints().next().is_none() {
        return Ok(None);
    }
    endpoints().for_each(warn_about_weaknesses);
    let tls = |endpoint: &EndpointPlan| {
        let server = endpoint.server_endpoint.as_ref().unwrap_or(&endpoint.endpoint);
        server.scheme_str() == Some("https")
    };
    http_transport(endpoints().any(tls)).map(Some)
}

/// What works, and should not be in production.
fn warn_about_weaknesses(service: &EndpointPlan) {
    let plain = |uri: &&Uri| {
        uri.scheme_str() == Some("http") && !uri.host().is_some_and(config::is_loopback)
    };
    if let Some(endpoint) = service.addresses().find(plain) {
        tracing::warn!(%endpoint, "tokens and messages travel unencrypted: use https outside of a private network");
    }
    if service
        .access_key()
        .is_some_and(|key| key.expose().len() < config::connection::MIN_CLAIMS_KEY)
    {
        tracing::warn!("the access key is shorter than 32 bytes and can be guessed");
    }
}

#[cfg(feature = "rest")]
fn http_transport(needs_tls: bool) -> Result<Arc<dyn Transport>, BuildError> {
    crate::rest::transport::http(needs_tls).map_err(BuildError::HttpClient)
}

#[cfg(not(feature = "rest"))]
fn http_transport(_: bool) -> Result<Arc<dyn Transport>, BuildError> {
    Err(BuildError::Feature("rest"))
}
