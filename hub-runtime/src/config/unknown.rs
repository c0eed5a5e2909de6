//! Variables that look like settings of ours and are none: a misspelt key must not be silently without
//! effect.

use hub_core::names::nearest;

use super::env;

/// What every setting of the service begins with.
const SERVICE: &str = "AzureSignalRConnectionString__";
/// What every setting of the embedded service begins with.
const LOCAL: &str = "HUB_LOCAL_";
/// Settings of the app. A new one has its place here.
const OURS: [&str; 5] =
    [env::CLAIMS_KEY, env::PREVIOUS_ACCESS_KEY, env::LOCAL_PORT, env::LOCAL_KEY, env::LOCAL_URL];
/// Settings of the `hub-local` command, which may stand in the same environment.
const COMMAND: [&str; 2] = ["HUB_LOCAL_LOG", "HUB_LOCAL_SECONDARY_KEY"];
/// What every setting of `hub-local load` begins with.
const LOAD: &str = "HUB_LOCAL_LOAD_";

/// A sentence for each name that is no setting, in order.
pub(super) fn settings(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut problems: Vec<_> = names.filter_map(|name| problem(&name)).collect();
    problems.sort();
    problems
}

fn problem(name: &str) -> Option<String> {
    // Elsewhere a colon separates sections; variables write it as two underscores.
    let written = name.replace(':', "__");
    let rest = |prefix: &str| {
        let (start, rest) = written.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    let is_known = OURS.contains(&name) || COMMAND.contains(&name) || rest(LOAD).is_some();
    let prefix = [SERVICE, LOCAL].into_iter().find(|prefix| rest(prefix).is_some())?;
    if is_known {
        return None;
    }
    let keys: Vec<_> = OURS.into_iter().filter_map(|known| known.strip_prefix(prefix)).collect();
    Some(match nearest(rest(prefix)?, keys.iter().copied()) {
        Some(key) => format!("the variable {name} is no setting; did you mean {prefix}{key}?"),
        None => {
            let known: Vec<_> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
            format!("the variable {name} is no setting; there are {}", known.join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<String> {
        settings(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn known_settings_and_foreign_variables_are_no_problem() {
        assert!(of(&OURS).is_empty());
        assert!(
            of(&["PATH", "AzureSignalRConnectionString", "HUB_LOCAL_LOG", "HUB_LOCAL_LOAD_X"])
                .is_empty()
        );
    }

    #[test]
    fn a_misspelt_setting_is_named_with_the_nearest() {
        assert_eq!(
            of(&["HUB_LOCAL_POT", "AzureSignalRConnectionString__claimKey"]),
            [
                "the variable AzureSignalRConnectionString__claimKey is no setting; did you mean \
                 AzureSignalRConnectionString__claimsKey?",
                "the variable HUB_LOCAL_POT is no setting; did you mean HUB_LOCAL_PORT?",
            ]
        );
        for other in
            ["AZURESIGNALRCONNECTIONSTRING__CLAIMSKEY", "AzureSignalRConnectionString:claimsKey"]
        {
            let text =
                format!("the variable {other} is no setting; did you mean {}?", env::CLAIMS_KEY);
            assert_eq!(of(&[other]), [text]);
        }
    }

    #[test]
    fn a_setting_of_another_product_is_named_with_those_that_there_are() {
        let problems = of(&["AzureSignalRConnectionString__serviceUri"]);

        assert_eq!(
            problems,
            ["the variable AzureSignalRConnectionString__serviceUri is no setting; there are \
              AzureSignalRConnectionString__claimsKey, AzureSignalRConnectionString__previousAccessKey"]
        );
    }
}
