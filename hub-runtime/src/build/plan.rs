//! Assigns hubs to services, and checks both.

use std::sync::Arc;

use hub_core::{mounted::MountedHub, names};

use super::{BuildProblem, secrets};
use crate::{
    SignalR,
    config::{
        Plan,
        connection::{Connection, MIN_CLAIMS_KEY},
        endpoint::{Credential, EndpointPlan, Identity},
    },
    unlogged,
    wire_name::{at_service, wire_name},
};

/// A connection setting and its hubs.
pub(crate) struct PlannedService {
    pub(crate) connection: Connection,
    pub(crate) hubs: Vec<Arc<dyn MountedHub>>,
}

/// Groups the hubs by connection setting, and adds their problems to `problems`. `code` is whether upstream
/// calls need a code in their URL.
pub(crate) fn planned_services(
    signalr: &SignalR,
    hubs: &[Arc<dyn MountedHub>],
    code: bool,
    problems: &mut Vec<BuildProblem>,
) -> Vec<PlannedService> {
    let mut names: Vec<&'static str> = Vec::new();
    for hub in hubs {
        if !names.contains(&hub.connection()) {
            names.push(hub.connection());
        }
    }
    let mut planned = Vec::new();
    for &name in &names {
        match signalr.connection(name) {
            Ok(connection) => {
                let lives_here = |hub: &&Arc<dyn MountedHub>| hub.connection() == name;
                let hubs: Vec<_> = hubs.iter().filter(lives_here).cloned().collect();
                problems.extend(problems_of(&connection, &hubs, code));
                planned.push(PlannedService { connection, hubs });
            }
            Err(error) => {
                problems.extend(error.problems().iter().cloned().map(BuildProblem::from));
            }
        }
    }
    problems.extend(name_problems(&planned));
    problems.extend(unread_problems(signalr, &names, &planned));
    planned
}

/// Reports settings that nothing reads. They are a problem if they name a service, and the app has none.
fn unread_problems(
    signalr: &SignalR,
    connections: &[&str],
    planned: &[PlannedService],
) -> Vec<BuildProblem> {
    let is_service = |it: &PlannedService| matches!(it.connection.plan, Plan::Service(_));
    let lacks_service = !planned.iter().all(is_service);
    planned.iter().flat_map(|it| &it.connection.unused).for_each(|unused| unlogged::warn(unused));
    let unread = signalr.unread(connections).into_iter();
    let (errors, warnings): (Vec<_>, Vec<_>) =
        unread.partition(|it| it.names_service && lacks_service);
    warnings.iter().for_each(|unread| unlogged::warn(&unread.problem));
    errors.into_iter().map(|unread| unread.without_service().into()).collect()
}

fn problems_of(
    connection: &Connection,
    hubs: &[Arc<dyn MountedHub>],
    code: bool,
) -> Vec<BuildProblem> {
    let mut problems = Vec::new();
    if connection.claims_key.as_ref().is_some_and(|key| key.expose().len() < MIN_CLAIMS_KEY) {
        problems.push(BuildProblem::ShortClaimsKey);
    }
    problems.extend(secrets::problems(connection));
    match &connection.plan {
        Plan::Missing(problem) => problems.push(problem.clone().into()),
        Plan::Local(_) => {}
        Plan::Service(endpoints) => {
            problems.extend(identity_problems(connection, endpoints, hubs, code));
        }
    }
    problems
}

/// Checks the settings that replace the access key for endpoints without an access key.
fn identity_problems(
    connection: &Connection,
    endpoints: &[EndpointPlan],
    hubs: &[Arc<dyn MountedHub>],
    code: bool,
) -> Vec<BuildProblem> {
    let mut problems = Vec::new();
    let identities = endpoints.iter().filter_map(|endpoint| match &endpoint.credential {
        Credential::Identity(identity) => Some((endpoint, identity)),
        Credential::Key(_) => None,
    });
    let Some((endpoint, identity)) = identities.into_iter().next() else { return problems };
    let (name, setting) = (|| endpoint.name.clone(), || connection.name.clone());
    if cfg!(not(feature = "identity")) && !matches!(identity, Identity::Source(_)) {
        problems.push(BuildProblem::IdentityFeature { endpoint: name() });
    }
    let negotiating = hubs.iter().find(|hub| hub.negotiates());
    if let (Some(hub), None) = (negotiating, &connection.claims_key) {
        let hub = wire_name(hub.name());
        problems.push(BuildProblem::NoClaimsKey { hub, endpoint: name(), setting: setting() });
    }
    if connection.upstream_tokens.is_none() && !code {
        problems.push(BuildProblem::UnverifiedUpstream { endpoint: name(), setting: setting() });
    }
    problems
}

/// Checks the names of hubs at the service, which begin with the application's name.
fn name_problems(planned: &[PlannedService]) -> Vec<BuildProblem> {
    let mut problems = Vec::new();
    let mut seen: Vec<(String, String)> = Vec::new();
    for service in planned {
        let application = service.connection.application.as_deref();
        for hub in &service.hubs {
            let (name, at_service) = (wire_name(hub.name()), at_service(application, hub.name()));
            if application.is_some() && names::check_hub(&at_service).is_err() {
                problems.push(BuildProblem::InvalidHubName { name: at_service.clone() });
            }
            if seen.iter().any(|(other, there)| *there == at_service && *other != name) {
                problems.push(BuildProblem::SameNameAtService { name: at_service.clone() });
            }
            seen.push((name, at_service));
        }
    }
    problems
}
