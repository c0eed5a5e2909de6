//! Checks a builder before any resource is opened.

use std::collections::{HashMap, HashSet};

use hub_core::{mounted::MountedHub, names};

use super::HubAppBuilder;
use crate::{
    negotiate::{NegotiateLimit, cors::Cors},
    wire_name::wire_name,
};

/// All problems of a builder, as texts for the operator.
pub(crate) fn of(builder: &HubAppBuilder) -> Vec<String> {
    let mut problems = Vec::new();
    match &builder.signalr {
        None => problems
            .push("no SignalR service: call .signalr(SignalR::from_env_or_local()?)".to_owned()),
        Some(signalr) => problems.extend(signalr.origins.iter().filter_map(|origin| {
            Some(format!("Host.CORS in local.settings.json: {}", Cors::problem(origin)?))
        })),
    }
    hubs(builder, &mut problems);
    problems.extend(builder.origins.iter().filter_map(|origin| Cors::problem(origin)));
    for path in builder.upstream_paths.iter().filter(|path| !path.starts_with('/')) {
        problems.push(format!("the upstream path `{path}` must begin with `/`"));
    }
    if builder.upstream_code.as_ref().is_some_and(|code| code.expose().trim().is_empty()) {
        problems.push(
            "the upstream code is empty, so every call would match it: pass a secret to upstream_code(…), or remove the call"
                .to_owned(),
        );
    }
    let limit = builder.negotiate_limit.and_then(NegotiateLimit::problem);
    problems.extend(limit.map(str::to_owned));
    unused(builder, &mut problems);
    problems
}

fn hubs(builder: &HubAppBuilder, problems: &mut Vec<String>) {
    if builder.found_none {
        problems.push(
            "discover() found no hub: a crate without other uses is not linked; import it: `use chat_hubs as _;`"
                .to_owned(),
        );
    } else if builder.hubs.is_empty() {
        problems.push("no hub: call .hub(…) for each hub".to_owned());
    }
    let mut seen: HashMap<String, &dyn MountedHub> = HashMap::new();
    let mut reported = HashSet::new();
    for hub in &builder.hubs {
        let name = wire_name(hub.name());
        if let Err(error) = names::check_hub(hub.name()) {
            problems.push(format!("hub `{}`: {error}", hub.name()));
        }
        let Some(first) = seen.get(&name) else {
            seen.insert(name, &**hub);
            continue;
        };
        if (*first.value()).type_id() != (*hub.value()).type_id() {
            problems.push(format!(
                "two hubs are named `{name}`: `{}` and `{}`; rename one of them: `#[serverless_hub(name = \"…\")]`",
                first.type_name(),
                hub.type_name(),
            ));
        } else if reported.insert(name.clone()) {
            problems.push(format!(
                "the hub `{name}` is mounted more than once; keep one of `.hub(…)` and `.discover()` for it"
            ));
        }
    }
}

/// Reports settings without effect, which are likely mistakes.
fn unused(builder: &HubAppBuilder, problems: &mut Vec<String>) {
    if builder.hubs.is_empty() || builder.hubs.iter().any(|hub| hub.negotiates()) {
        return;
    }
    let settings = [
        (!builder.origins.is_empty(), "allow_origin"),
        (builder.negotiate_limit.is_some(), "negotiate_limit"),
        (builder.trust_app_service, "trust_app_service_headers"),
    ];
    for (_, setting) in settings.into_iter().filter(|(is_set, _)| *is_set) {
        problems.push(format!("`{setting}` has no effect: no hub has a `negotiate`"));
    }
}
