//! Builds the app from a checked builder.

use std::sync::{Arc, atomic::AtomicBool};

use http::Uri;
#[cfg(feature = "server")]
use hub_core::secret_rule::{Reach, Verdict, judge};
use hub_net::{clock::Clock, host::is_loopback, log_limit::LogLimit, origin::AllowedOrigins};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::instrument::WithSubscriber;

#[cfg(feature = "local")]
use super::embedded;
use super::{BuildError, BuildProblem, HubAppBuilder, plan::PlannedService, start_table};
use crate::{
    HubApp,
    answer::ErrorDetail,
    auth::{EntraTokens, SignIn, TokenSource, upstream_token::UpstreamTokenCheck},
    config::{
        LocalPlan, Plan, SignalR,
        connection::Connection,
        endpoint::{Credential, EndpointPlan, Identity},
        env::{self, Variables},
    },
    counters::AtomicCounters,
    endpoints::UsualRouter,
    hosts::HostRule,
    negotiate::{cors::Cors, limit::Limiter},
    rest::{RestOptions, transport::Transport},
    routes::Routes,
    service_group::{ServiceAddress, ServiceGroup, Shared},
    shared::{Hubs, Inner, NegotiateOptions, UpstreamOptions},
    wrong_codes::WrongCodes,
};

pub(crate) fn assemble(
    mut builder: HubAppBuilder,
    signalr: &SignalR,
    planned: Vec<PlannedService>,
) -> Result<HubApp, BuildError> {
    let shared = Shared {
        clock: Clock::start(),
        rest: RestOptions {
            propagator: builder.propagator.clone(),
            ..signalr.rest.options(builder.rest_timeout, builder.retries, builder.trace_messages)
        },
        router: builder.router.take().unwrap_or_else(|| Arc::new(UsualRouter)),
        tasks: TaskTracker::new(),
        accept_unsealed: signalr.accept_unsealed || signalr.trust_plain_claims,
    };
    let transport = transport(&planned)?;
    let local = planned.iter().find_map(|service| match &service.connection.plan {
        Plan::Local(plan) => Some(with_settings(plan.clone(), &builder, signalr)),
        Plan::Service(_) | Plan::Missing(_) => None,
    });
    let hosts = host_rule(local.as_ref(), &builder);
    #[cfg(feature = "local")]
    let bound = local
        .map(|plan| {
            let (after_call, operator) = (builder.after_call.take(), builder.operator.take());
            let sinks = (builder.record.take(), builder.event_tap.take());
            embedded::open(&plan, builder.inspector.take(), sinks, after_call, operator)
        })
        .transpose()?;
    #[cfg(not(feature = "local"))]
    if local.is_some() {
        return Err(BuildError::Feature("local"));
    }

    let (mut hubs, mut groups) = (Hubs::default(), Vec::new());
    for PlannedService { connection, hubs: here } in planned {
        let addresses = match (&connection.plan, &transport) {
            (Plan::Service(endpoints), Some(transport)) => {
                addresses(endpoints, transport, shared.clock)?
            }
            #[cfg(feature = "local")]
            (Plan::Local(_), _) => bound.iter().map(|bound| bound.address()).collect(),
            #[cfg(not(feature = "local"))]
            (Plan::Local(_), _) => continue,
            (Plan::Service(_), None) | (Plan::Missing(_), _) => continue,
        };
        let tokens = connection.upstream_tokens.clone().zip(transport.clone());
        let tokens =
            tokens.map(|(plan, transport)| UpstreamTokenCheck::new(plan, transport, shared.clock));
        if tokens.is_some() {
            warn_about_upstream_tokens(&connection);
        }
        let wrap = builder.wrap_outbound.take();
        let group = Arc::new(ServiceGroup::new(&connection, addresses, &shared, tokens, wrap));
        for hub in here {
            start_table::mounted(&*hub);
            hubs.insert(hub, &group);
        }
        groups.push(group);
    }
    start_table::not_mounted(&hubs);
    let Some(first_group) = groups.first().cloned() else {
        return Err(BuildError::Problems(vec![BuildProblem::NoHub]));
    };
    let mut inner = inner(builder, signalr, hubs, first_group, groups, shared);
    inner.hosts = hosts;
    #[cfg(feature = "local")]
    {
        inner.embedded = bound.as_ref().map(|bound| bound.embedded());
    }
    let app = HubApp { inner: Arc::new(inner) };
    #[cfg(feature = "local")]
    if let Some(bound) = bound {
        bound.serve(&app);
    }
    Ok(app)
}

/// The plan of the embedded service with the settings of the builder.
fn with_settings(mut plan: LocalPlan, builder: &HubAppBuilder, signalr: &SignalR) -> LocalPlan {
    plan.max_connection_lifetime = builder.max_connection_lifetime;
    plan.hosts.extend(builder.hosts.iter().cloned());
    plan.origins.extend(builder.origins.iter().chain(&signalr.origins).cloned());
    plan
}

/// The hosts of an app that embeds the service. Behind proxies, the app does not check them.
fn host_rule(local: Option<&LocalPlan>, builder: &HubAppBuilder) -> Option<HostRule> {
    let is_behind_proxies = builder.negotiate_limit.is_some_and(|limit| limit.proxies > 0);
    let plan = local.filter(|_| !is_behind_proxies)?;
    let public = plan.url.as_ref().and_then(Uri::host).map(str::to_owned);
    Some(HostRule::new(plan.hosts.iter().cloned().chain(public)))
}

/// The addresses and credentials of endpoints.
fn addresses(
    endpoints: &[EndpointPlan],
    transport: &Arc<dyn Transport>,
    clock: Clock,
) -> Result<Vec<ServiceAddress>, BuildError> {
    let address = |endpoint: &EndpointPlan| {
        let sign_in = match &endpoint.credential {
            Credential::Key(key) => SignIn::Key(key.clone()),
            Credential::Identity(identity) => {
                let tokens = EntraTokens::new(source(endpoint, identity, transport)?, clock);
                let tokens = Arc::new(tokens);
                sign_in(&tokens);
                SignIn::Entra(tokens)
            }
        };
        Ok(ServiceAddress::of(endpoint, sign_in, Arc::clone(transport)))
    };
    endpoints.iter().map(address).collect()
}

/// Signs in at start: the first client does not wait, and the log shows a wrong identity at once. Outside a
/// tokio runtime the first use signs in.
fn sign_in(tokens: &Arc<EntraTokens>) {
    let tokens = Arc::clone(tokens);
    if let Ok(runtime) = Handle::try_current() {
        // A failure is logged by the sign-in, and the next use tries again.
        runtime.spawn(async move { tokens.token().await.is_ok() }.with_current_subscriber());
    }
}

#[cfg(feature = "identity")]
fn source(
    endpoint: &EndpointPlan,
    identity: &Identity,
    transport: &Arc<dyn Transport>,
) -> Result<Arc<dyn TokenSource>, BuildError> {
    crate::auth::identity::source(identity, &env::process, transport).map_err(|problem| {
        let endpoint = endpoint.name.clone();
        BuildError::Problems(vec![BuildProblem::Identity { endpoint, problem }])
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
        Identity::Chain { .. }
        | Identity::Managed(_)
        | Identity::Workload { .. }
        | Identity::App { .. } => Err(BuildError::Feature("identity")),
    }
}

/// The state that all clones of the app share.
fn inner(
    builder: HubAppBuilder,
    signalr: &SignalR,
    hubs: Hubs,
    first_group: Arc<ServiceGroup>,
    groups: Vec<Arc<ServiceGroup>>,
    shared: Shared,
) -> Inner {
    let all_embedded = groups.iter().all(|group| group.is_embedded);
    let origins = AllowedOrigins::new(builder.origins.iter().chain(&signalr.origins));
    let behind_app_service = env::process
        .set(env::APP_SERVICE_AUTH)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let code = builder.upstream_code.or_else(|| signalr.upstream_code.clone());
    Inner {
        #[cfg(feature = "server")]
        loopback_only: groups.iter().flat_map(|group| group.keys.access()).chain(&code).find_map(
            |secret| match judge(secret, Reach::Beyond) {
                Verdict::Refused(weakness) => Some(weakness),
                Verdict::Warned(_) | Verdict::Accepted => None,
            },
        ),
        #[cfg(feature = "server")]
        ignores_arguments: builder.ignores_arguments,
        hosts: None,
        wrong_codes: WrongCodes::default(),
        hubs,
        first_group,
        groups,
        upstream: UpstreamOptions {
            trust_plain_claims: signalr.trust_plain_claims,
            accept_unsealed: shared.accept_unsealed,
            error_detail: match builder.detailed_errors.or(signalr.detailed_errors) {
                Some(false) => ErrorDetail::Position,
                Some(true) => ErrorDetail::Suggestions,
                None if all_embedded => ErrorDetail::Suggestions,
                None => ErrorDetail::Arguments,
            },
            keep_refused_connections: builder.keep_refused_connections,
            propagator: builder.propagator,
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
        clock: shared.clock,
        log: LogLimit::default(),
        tasks: shared.tasks,
        counts: AtomicCounters::default(),
        shutdown_wait: builder.shutdown_wait,
        #[cfg(feature = "deploy")]
        functions: builder.functions,
        closing: AtomicBool::new(false),
        #[cfg(feature = "functions")]
        functions_host: AtomicBool::new(false),
        #[cfg(feature = "local")]
        embedded: None,
    }
}

/// The HTTP client for all remote services; `None` if there are no remote services.
fn transport(planned: &[PlannedService]) -> Result<Option<Arc<dyn Transport>>, BuildError> {
    let endpoints = || {
        planned.iter().flat_map(|service| match &service.connection.plan {
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
    let tokens = planned.iter().filter_map(|it| it.connection.upstream_tokens.as_ref());
    let keys = tokens.into_iter().any(|tokens| is_https(&tokens.keys_url));
    // Identities request tokens over https, unless the environment configures a plain authority.
    let authority = env::process.set(env::AUTHORITY_HOST);
    let plain = authority.is_some_and(|authority| authority.starts_with("http://"));
    let identities = !plain
        && endpoints().any(|endpoint| match &endpoint.credential {
            Credential::Key(_) | Credential::Identity(Identity::Source(_)) => false,
            Credential::Identity(_) => true,
        });
    http_transport(services || keys || identities).map(Some)
}

/// Warns if upstream calls of any application of the tenant are accepted.
fn warn_about_upstream_tokens(connection: &Connection) {
    let Some(tokens) = &connection.upstream_tokens else { return };
    if tokens.client_ids.is_empty() {
        tracing::warn!(
            audience = tokens.audiences.join(","),
            "every application of the tenant that can get a token for this audience can call the app as the service: set {}__upstreamClientId to the application id or object id of the service's identity",
            connection.name
        );
    }
}

/// Warns about settings that should not be used in production.
fn warn_about_weaknesses(service: &EndpointPlan) {
    let plain =
        |uri: &&Uri| uri.scheme_str() == Some("http") && !uri.host().is_some_and(is_loopback);
    if let Some(endpoint) = service.addresses().find(plain) {
        tracing::warn!(%endpoint, "tokens and messages are not encrypted: use https outside of a private network");
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
