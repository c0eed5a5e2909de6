//! Detects unknown settings with our prefixes, so that a misspelt name is an error and is not ignored.

use hub_core::names::nearest;

use super::{SettingProblem, env, settings::Settings};

/// The settings below a connection.
const KEYS: [&str; 16] = [
    "serviceUri",
    "serverEndpoint",
    "clientEndpoint",
    "credential",
    "clientId",
    "managedIdentityResourceId",
    "tenantId",
    "clientSecret",
    "claimsKey",
    "previousAccessKey",
    "applicationName",
    "upstreamAudience",
    "upstreamTenantId",
    "upstreamClientId",
    "upstreamIssuer",
    "upstreamKeys",
];
/// The prefix of the settings of the embedded service.
const LOCAL: &str = "HUB_LOCAL_";
const OURS: [&str; 4] = [env::LOCAL_PORT, env::LOCAL_KEY, env::LOCAL_URL, env::LOCAL_HOSTS];
/// Settings of the `hub-local` command, which may be in the same environment.
const COMMAND: [&str; 2] = ["HUB_LOCAL_LOG", "HUB_LOCAL_SECONDARY_KEY"];
/// The prefix of the settings of `hub-local load`.
const LOAD: &str = "HUB_LOCAL_LOAD_";

/// A problem for each unknown setting below the connection `name`.
pub(super) fn below(settings: &Settings, name: &str) -> Vec<SettingProblem> {
    let known = |key: &str| {
        let first = key.split(':').next().unwrap_or_default();
        let endpoints = name != env::CONNECTION_STRING && first.eq_ignore_ascii_case("Endpoints");
        endpoints || KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
    };
    let unknown = settings.below(name).into_iter().filter(|key| !known(key));
    unknown
        .map(|key| {
            let setting = format!("{name}__{}", key.replace(':', "__"));
            let written = settings.get(&setting).map_or(setting.as_str(), |(written, _)| written);
            let problem = match nearest(&key, KEYS.iter().copied()) {
                Some(key) => format!("is not a setting; did you mean {name}__{key}?"),
                None => {
                    format!("is not a setting; the settings below {name} are {}", KEYS.join(", "))
                }
            };
            SettingProblem::invalid(written, problem)
        })
        .collect()
}

/// A problem for each unknown setting of the embedded service.
pub(super) fn local(settings: &Settings) -> Vec<SettingProblem> {
    let known =
        |name: &str| OURS.contains(&name) || COMMAND.contains(&name) || name.starts_with(LOAD);
    let unknown = settings.beginning_with(LOCAL).filter(|name| !known(name));
    unknown
        .map(|name| {
            let problem = match nearest(name, OURS.iter().copied()) {
                Some(key) => format!("is not a setting; did you mean {key}?"),
                None => format!("is not a setting; the settings are {}", OURS.join(", ")),
            };
            SettingProblem::invalid(name, problem)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<String> {
        let settings: Settings = names.iter().map(|name| (*name, "x")).collect();
        let problems = below(&settings, env::CONNECTION_STRING).into_iter().chain(local(&settings));
        problems.map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn known_settings_and_unrelated_variables_are_accepted() {
        let known = KEYS.map(|key| format!("azuresignalrconnectionstring:{key}"));
        assert!(of(&known.each_ref().map(String::as_str)).is_empty());
        assert!(
            of(&["PATH", "AzureSignalRConnectionString", "HUB_LOCAL_LOG", "HUB_LOCAL_LOAD_X"])
                .is_empty()
        );
        assert!(of(&OURS).is_empty());
    }

    #[test]
    fn a_misspelt_setting_is_reported_with_the_nearest_name() {
        assert_eq!(
            of(&["HUB_LOCAL_POT", "AzureSignalRConnectionString:claimKey"]),
            [
                "AzureSignalRConnectionString:claimKey is not a setting; did you mean AzureSignalRConnectionString__claimsKey?",
                "HUB_LOCAL_POT is not a setting; did you mean HUB_LOCAL_PORT?",
            ]
        );
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_known_names() {
        let problems = of(&["AzureSignalRConnectionString__Endpoints__west"]);

        assert!(problems[0].starts_with(
            "AzureSignalRConnectionString__Endpoints__west is not a setting; the settings below AzureSignalRConnectionString are serviceUri,"
        ));
    }
}
