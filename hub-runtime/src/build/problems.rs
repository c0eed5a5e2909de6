//! Checks a builder before any resource is opened.

use std::collections::{HashMap, HashSet};

use hub_core::{mounted::MountedHub, names};
use hub_net::host::AllowedHosts;

use super::{BuildProblem, HubAppBuilder};
use crate::{
    negotiate::{NegotiateLimit, cors::Cors},
    wire_name::wire_name,
};

/// All problems of a builder.
pub(crate) fn of(builder: &HubAppBuilder) -> Vec<BuildProblem> {
    let mut problems = Vec::new();
    match &builder.signalr {
        None => problems.push(BuildProblem::NoService),
        Some(signalr) => {
            let place = "Host.CORS in local.settings.json: ";
            problems
                .extend(signalr.origins.iter().filter_map(|origin| origin_problem(place, origin)));
        }
    }
    hubs(builder, &mut problems);
    problems.extend(builder.origins.iter().filter_map(|origin| origin_problem("", origin)));
    for path in builder.upstream_paths.iter().filter(|path| !path.starts_with('/')) {
        problems.push(BuildProblem::InvalidUpstreamPath { path: path.clone() });
    }
    problems.extend(builder.hosts.iter().filter_map(|host| {
        let problem = AllowedHosts::problem(host)?;
        Some(BuildProblem::InvalidHost { host: host.clone(), problem })
    }));
    if builder.negotiate_limit.is_some_and(NegotiateLimit::rejects_all) {
        problems.push(BuildProblem::InvalidNegotiateLimit);
    }
    unused(builder, &mut problems);
    problems
}

/// The problem with an origin that is configured in this place.
fn origin_problem(place: &str, origin: &str) -> Option<BuildProblem> {
    let problem = format!("{place}{}", Cors::problem(origin)?);
    Some(BuildProblem::InvalidOrigin { origin: origin.to_owned(), problem })
}

fn hubs(builder: &HubAppBuilder, problems: &mut Vec<BuildProblem>) {
    if builder.found_none {
        problems.push(BuildProblem::NothingDiscovered);
    } else if builder.hubs.is_empty() {
        problems.push(BuildProblem::NoHub);
    }
    let mut seen: HashMap<String, &dyn MountedHub> = HashMap::new();
    let mut reported = HashSet::new();
    for hub in &builder.hubs {
        let name = wire_name(hub.name());
        if names::check_hub(hub.name()).is_err() {
            problems.push(BuildProblem::InvalidHubName { name: hub.name().to_owned() });
        }
        let Some(first) = seen.get(&name) else {
            seen.insert(name, &**hub);
            continue;
        };
        if (*first.value()).type_id() != (*hub.value()).type_id() {
            let (first, second) = (first.type_name(), hub.type_name());
            problems.push(BuildProblem::SameHubName { name, first, second });
        } else if reported.insert(name.clone()) {
            problems.push(BuildProblem::MountedTwice { name });
        }
    }
}

/// Reports settings without effect, because they are probably mistakes.
fn unused(builder: &HubAppBuilder, problems: &mut Vec<BuildProblem>) {
    if builder.hubs.is_empty() || builder.hubs.iter().any(|hub| hub.negotiates()) {
        return;
    }
    let settings = [
        (!builder.origins.is_empty(), "allow_origin"),
        (builder.negotiate_limit.is_some(), "negotiate_limit"),
        (builder.trust_app_service, "trust_app_service_headers"),
    ];
    for (_, setting) in settings.into_iter().filter(|(is_set, _)| *is_set) {
        problems.push(BuildProblem::NoEffect { setting });
    }
}
