//! Which hubs live where: what the settings and the hubs say together, checked.

use std::sync::Arc;

use hub_core::{mounted::MountedHub, names};

use crate::{
    SignalR,
    app::wire_name,
    config::{
        Plan,
        connection::{Connection, MIN_CLAIMS_KEY},
        endpoint::Credential,
    },
    home::at_service,
};

/// A connection and the hubs that live there.
pub(crate) struct Household {
    pub(crate) connection: Connection,
    pub(crate) hubs: Vec<Arc<dyn MountedHub>>,
}

/// Parts the hubs by their connections, and adds what is wrong.
pub(crate) fn households(
    signalr: &SignalR,
    hubs: &[Arc<dyn MountedHub>],
    problems: &mut Vec<String>,
) -> Vec<Household> {
    let mut names: Vec<&'static str> = Vec::new();
    for hub in hubs {
        if !names.contains(&hub.connection()) {
            names.push(hub.connection());
        }
    }
    let mut households = Vec::new();
    for name in names {
        match signalr.connection(name) {
            Ok(connection) => {
                problems.extend(problems_of(&connection));
                let lives_here = |hub: &&Arc<dyn MountedHub>| hub.connection() == name;
                let hubs = hubs.iter().filter(lives_here).cloned().collect();
                households.push(Household { connection, hubs });
            }
            Err(error) => problems.extend(error.problems().iter().map(ToString::to_string)),
        }
    }
    problems.extend(name_problems(&households));
    households
}

fn problems_of(connection: &Connection) -> Vec<String> {
    let mut problems = Vec::new();
    if connection.claims_key.as_ref().is_some_and(|key| key.expose().len() < MIN_CLAIMS_KEY) {
        problems.push("the claims key is too short: at least 32 bytes".to_owned());
    }
    match &connection.plan {
        Plan::Missing(problem) => problems.push(problem.to_string()),
        Plan::Local(_) => {}
        Plan::Service(endpoints) => {
            if endpoints.len() > 1 {
                let text = "several endpoints are not supported yet: keep one";
                problems.push(format!("{}: {text}", connection.name));
            }
            for endpoint in endpoints {
                if let Credential::Identity(_) = endpoint.credential {
                    problems.push(format!(
                        "the endpoint {} has no access key: signing in with Microsoft Entra is not supported yet",
                        endpoint.name
                    ));
                }
            }
        }
    }
    problems
}

/// Names that do not fit, or meet, only at the service.
fn name_problems(households: &[Household]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen: Vec<(String, String)> = Vec::new();
    for household in households {
        let application = household.connection.application.as_deref();
        for hub in &household.hubs {
            let (name, at_service) = (wire_name(hub.name()), at_service(application, hub.name()));
            if application.is_some()
                && let Err(error) = names::check_hub(&at_service)
            {
                problems.push(format!("hub `{at_service}`: {error}"));
            }
            if seen.iter().any(|(other, there)| *there == at_service && *other != name) {
                problems.push(format!("two hubs are called `{at_service}` at the service"));
            }
            seen.push((name, at_service));
        }
    }
    problems
}
