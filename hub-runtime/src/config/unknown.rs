//! Detects unknown settings with our prefixes, so that a misspelt name is an error and is not ignored.

use hub_core::{
    names::nearest,
    setting_names::{self, APP, BELOW_CONNECTION as KEYS, OWN_PREFIXES},
};

use super::{SettingProblem, env, settings::Settings};

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

/// A problem for each unknown setting with a prefix of this project, such as `HUB_LOCAL_`.
pub(super) fn own(settings: &Settings) -> Vec<SettingProblem> {
    let is_own = |name: &&str| OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let own = || APP.iter().copied().filter(is_own);
    let unknown = settings.all().filter(|(name, _)| setting_names::is_unknown(name));
    unknown
        .map(|(name, _)| {
            let problem = match nearest(name, own()) {
                Some(key) => format!("is not a setting; did you mean {key}?"),
                None => {
                    let names = own().collect::<Vec<_>>().join(", ");
                    format!("is not a setting; the settings are {names}")
                }
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
        let problems = below(&settings, env::CONNECTION_STRING).into_iter().chain(own(&settings));
        problems.map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn known_settings_and_unrelated_variables_are_accepted() {
        let known = KEYS.map(|key| format!("azuresignalrconnectionstring:{key}"));
        assert!(of(&known.each_ref().map(String::as_str)).is_empty());
        assert!(
            of(&["PATH", "AzureSignalRConnectionString", "HUB_LOCAL_LOG", "hub_local_port"])
                .is_empty()
        );
        assert!(of(&APP).is_empty());
    }

    #[test]
    fn a_misspelt_setting_is_reported_with_the_nearest_name() {
        assert_eq!(
            of(&["HUB_LOCAL_POT", "HUB_UPSTREAM_COD", "AzureSignalRConnectionString:claimKey"]),
            [
                "AzureSignalRConnectionString:claimKey is not a setting; did you mean AzureSignalRConnectionString__claimsKey?",
                "HUB_LOCAL_POT is not a setting; did you mean HUB_LOCAL_PORT?",
                "HUB_UPSTREAM_COD is not a setting; did you mean HUB_UPSTREAM_CODE?",
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
