//! Applies the rule for secrets ([`hub_core::secret_rule`]) to those of an app.

use hub_core::{
    Secret,
    secret_rule::{Reach, Verdict, judge},
};

use super::BuildProblem;
use crate::config::{Plan, connection::Connection, env};

/// The problem with a secret. A weakness that is only a warning is logged.
pub(super) fn problem(name: &str, secret: &Secret, reach: Reach) -> Option<BuildProblem> {
    match judge(secret, reach) {
        Verdict::Accepted => None,
        Verdict::Warned(weakness) => {
            tracing::warn!("{name} {weakness}");
            None
        }
        Verdict::Refused(weakness) => {
            Some(BuildProblem::WeakSecret { problem: format!("{name} {weakness}") })
        }
    }
}

/// The problems with the keys of a connection.
pub(super) fn problems(connection: &Connection) -> Vec<BuildProblem> {
    let reach = connection.plan.reach();
    let check = |(name, key): (String, &Secret)| problem(&name, key, reach);
    let previous = connection.previous_access_key.as_ref();
    let previous = previous.map(|key| ("the previous access key".to_owned(), key));
    let keys: Vec<_> = match &connection.plan {
        Plan::Local(plan) => plan.key.iter().map(|key| (env::LOCAL_KEY.to_owned(), key)).collect(),
        Plan::Service(endpoints) => {
            let keys = endpoints.iter().filter_map(|it| Some((&it.name, it.access_key()?)));
            keys.map(|(name, key)| (format!("the access key of {name}"), key)).collect()
        }
        Plan::Missing(_) => Vec::new(),
    };
    keys.into_iter().chain(previous).filter_map(check).collect()
}
