//! From a checked builder to a running app, in the order of the lifecycle.

use std::sync::{Arc, atomic::AtomicBool};

use http::Uri;
use tokio_util::task::TaskTracker;

use super::{BuildError, HubAppBuilder, plan::Household, start_table};
use crate::{
    HubApp,
    app::{Hubs, Inner, NegotiateOptions},
    auth::{Entra, SignIn, TokenSource, upstream_token::UpstreamTokenCheck},
    clock::Clock,
    config::{
        self, Plan, SignalR,
        endpoint::{Credential, EndpointPlan, Identity},
        env::{self, Variables},
    },
    cors::Cors,
    counters::Counts,
    endpoints::UsualRouter,
    home::{Address, Home, Surroundings},
    negotiate_limit::Limiter,
    rest::transport::Transport,
    routes::Routes,
    upstream::UpstreamOptions,
};

pub(crate) fn assemble(
    mut builder: HubAppBuilder,
    signalr: &SignalR,
    households: Vec<Household>,
) -> Result<HubApp, BuildError> {
    let around = Surroundings {
        clock: Clock::start(),
        rest: signalr.rest.options(&builder),
        router: builder.router.take().unwrap_or_else(|| Arc::new(UsualRouter)),
        tasks: TaskTracker::new(),
    };
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

    let (mut hubs, mut homes) = (Hubs::default(), Vec::new());
    for Household { connection, hubs: here } in households {
        let addresses = match (&connection.plan, &transport) {
            (Plan::Service(endpoints), Some(transport)) => {
                addresses(endpoints, transport, around.clock)?
            }
            #[cfg(feature = "local")]
            (Plan::Local(_), _) => opened.iter().map(|opened| opened.address()).collect(),
            _ => continue,
        };
        let tokens = connection.upstream_tokens.clone().zip(transport.clone());
        let tokens =
            tokens.map(|(plan, transport)| UpstreamTokenCheck::new(plan, transport, around.clock));
        let wrap = builder.wrap_outbound.take();
        let home = Arc::new(Home::new(&connection, addresses, &around, tokens, wrap));
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
    #[cfg_attr(not(feature = "local"), allow(unused_mut, reason = "only `local` changes it"))]
    let mut inner = inner(builder, signalr, hubs, home, homes, around);
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

/// The endpoints, with what signs in there.
fn addresses(
    endpoints: &[EndpointPlan],
    transport: &Arc<dyn Transport>,
    clock: Clock,
) -> Result<Vec<Address>, BuildError> {
    let address = |endpoint: &EndpointPlan| {
        let sign_in = match &endpoint.credential {
            Credential::Key(key) => SignIn::Key(key.clone()),
            Credential::Identity(identity) => {
                SignIn::Entra(Arc::new(Entra::new(source(endpoint, identity, transport)?, clock)))
            }
        };
        Ok(Address::of(endpoint, sign_in, Arc::clone(transport)))
    };
    endpoints.iter().map(address).collect()
}

#[cfg(feature = "identity")]
fn source(
    endpoint: &EndpointPlan,
    identity: &Identity,
    transport: &Arc<dyn Transport>,
) -> Result<Arc<dyn TokenSource>, BuildError> {
    crate::auth::identity::source(identity, &env::process, transport).map_err(|problem| {
        BuildError::Problems(vec![format!(
            "the identity of the endpoint {}: {problem}",
            endpoint.name
        )])
    })
}

#[cfg(not(feature = "identity"))]
fn source(
    _: &EndpointPlan,
    identity: &Identity,
    _: &Arc<dyn Transport>,
) -> Result<Arc<dyn TokenSource>, BuildError> {
    match identity {
        Identity::Source(source) => Ok(Arc::clone(source)),
        _ => Err(BuildError::Feature("identity")),
    }
}

/// What all clones of the app share.
fn inner(
    builder: HubAppBuilder,
    signalr: &SignalR,
    hubs: Hubs,
    home: Arc<Home>,
    homes: Vec<Arc<Home>>,
    around: Surroundings,
) -> Inner {
    let all_embedded = homes.iter().all(|home| home.is_embedded);
    let origins = builder.origins.iter().chain(&signalr.origins).cloned().collect();
    let behind_app_service = env::process
        .set(env::APP_SERVICE_AUTH)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let code = builder.upstream_code.or_else(|| signalr.upstream_code.clone());
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
        routes: Routes::new(&builder.route_prefix, builder.upstream_paths, code),
        clock: around.clock,
        tasks: around.tasks,
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
    let is_https = |uri: &Uri| uri.scheme_str() == Some("https");
    let services = endpoints()
        .any(|endpoint| is_https(endpoint.server_endpoint.as_ref().unwrap_or(&endpoint.endpoint)));
    let tokens = households.iter().filter_map(|it| it.connection.upstream_tokens.as_ref());
    let keys = tokens.into_iter().any(|tokens| is_https(&tokens.keys_url));
    // Where tokens come from is told by the environment, and it is https unless that says otherwise.
    let authority = env::process.set(env::AUTHORITY_HOST);
    let plain = authority.is_some_and(|authority| authority.starts_with("http://"));
    let identities = !plain
        && endpoints().any(|endpoint| match &endpoint.credential {
            Credential::Key(_) | Credential::Identity(Identity::Source(_)) => false,
            Credential::Identity(_) => true,
        });
    http_transport(services || keys || identities).map(Some)
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
