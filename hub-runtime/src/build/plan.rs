//! Assigns hubs to services, and checks both.

use std::sync::Arc;

use hub_core::{Secret, mounted::MountedHub, names};

use crate::{
    SignalR,
    config::{
        Plan,
        connection::{Connection, MIN_CLAIMS_KEY},
        endpoint::{Credential, EndpointPlan, Identity},
    },
    wire_name::{at_service, wire_name},
};

/// A connection setting and its hubs.
pub(crate) struct PlannedService {
    pub(crate) connection: Connection,
    pub(crate) hubs: Vec<Arc<dyn MountedHub>>,
}

/// Groups the hubs by connection setting, and adds to `problems`. `code` is whether upstream calls need a
/// code in their URL.
pub(crate) fn planned_services(
    signalr: &SignalR,
    hubs: &[Arc<dyn MountedHub>],
    code: bool,
    problems: &mut Vec<String>,
) -> Vec<PlannedService> {
    let mut names: Vec<&'static str> = Vec::new();
    for hub in hubs {
        if !names.contains(&hub.connection()) {
            names.push(hub.connection());
        }
    }
    let mut planned = Vec::new();
    for name in names {
        match signalr.connection(name) {
            Ok(connection) => {
                let lives_here = |hub: &&Arc<dyn MountedHub>| hub.connection() == name;
                let hubs: Vec<_> = hubs.iter().filter(lives_here).cloned().collect();
                problems.extend(problems_of(&connection, &hubs, code));
                planned.push(PlannedService { connection, hubs });
            }
            Err(error) => problems.extend(error.problems().iter().map(ToString::to_string)),
        }
    }
    problems.extend(name_problems(&planned));
    planned
}

fn problems_of(connection: &Connection, hubs: &[Arc<dyn MountedHub>], code: bool) -> Vec<String> {
    let mut problems = Vec::new();
    if connection.claims_key.as_ref().is_some_and(|key| key.expose().len() < MIN_CLAIMS_KEY) {
        problems.push("the claims key is too short: at least 32 bytes".to_owned());
    }
    let empty = |key: &Secret| key.expose().trim().is_empty();
    if connection.previous_access_key.as_ref().is_some_and(empty) {
        problems.push(
            "the previous access key is empty, so every caller could sign with it: pass the key to previous_access_key(…), or remove the call"
                .to_owned(),
        );
    }
    match &connection.plan {
        Plan::Missing(problem) => problems.push(problem.to_string()),
        Plan::Local(_) => {}
        Plan::Service(endpoints) => {
            problems.extend(identity_problems(connection, endpoints, hubs, code));
        }
    }
    problems
}

/// Checks what replaces the access key of endpoints without one.
fn identity_problems(
    connection: &Connection,
    endpoints: &[EndpointPlan],
    hubs: &[Arc<dyn MountedHub>],
    code: bool,
) -> Vec<String> {
    let mut problems = Vec::new();
    let identities = endpoints.iter().filter_map(|endpoint| match &endpoint.credential {
        Credential::Identity(identity) => Some((endpoint, identity)),
        Credential::Key(_) => None,
    });
    let Some((endpoint, identity)) = identities.into_iter().next() else { return problems };
    let (name, setting) = (&endpoint.name, &connection.name);
    if cfg!(not(feature = "identity")) && !matches!(identity, Identity::Source(_)) {
        problems.push(format!(
            "the endpoint {name} has no access key: to sign in with Microsoft Entra, enable the feature `identity` of hub-runtime"
        ));
    }
    let negotiating = hubs.iter().find(|hub| hub.negotiates());
    if let (Some(hub), None) = (negotiating, &connection.claims_key) {
        problems.push(format!(
            "the hub `{}` has a `negotiate`, but the endpoint {name} has no access key to seal claims with: set {setting}__claimsKey to a secret of at least 32 bytes",
            wire_name(hub.name())
        ));
    }
    if connection.upstream_tokens.is_none() && !code {
        problems.push(format!(
            "the endpoint {name} has no access key, so upstream calls cannot be verified: set {setting}__upstreamAudience (and upstreamTenantId) to those of the token that the service sends, or HUB_UPSTREAM_CODE to a secret in the URL that it calls (?code=…)"
        ));
    }
    problems
}

/// Checks the names at the service, where the application's name is a prefix.
fn name_problems(planned: &[PlannedService]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen: Vec<(String, String)> = Vec::new();
    for service in planned {
        let application = service.connection.application.as_deref();
        for hub in &service.hubs {
            let (name, at_service) = (wire_name(hub.name()), at_service(application, hub.name()));
            if application.is_some()
                && let Err(error) = names::check_hub(&at_service)
            {
                problems.push(format!("hub `{at_service}`: {error}"));
            }
            if seen.iter().any(|(other, there)| *there == at_service && *other != name) {
                problems.push(format!("two hubs are named `{at_service}` at the service"));
            }
            seen.push((name, at_service));
        }
    }
    problems
}
