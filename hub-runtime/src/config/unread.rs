//! Finds settings that nothing reads although they look like settings of the app.

use hub_core::{
    names::nearest_within,
    setting_names::{
        APP, BELOW_CONNECTION, COMMAND, CONNECTION_STRING_PREFIXES, LOAD, OF_EXTENSION, is_same,
        is_unknown, lookup_form,
    },
};

use super::{SettingProblem, env, settings::Settings};

/// The maximum number of wrong, missing or additional characters of a misspelt name.
const MAX_TYPOS: usize = 3;
/// The beginnings of the names of an app's settings, without separators.
const FAMILIES: [&str; 3] = ["azuresignalr", "hublocal", "hubupstream"];

/// A setting that nothing reads.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) problem: SettingProblem,
    /// Whether the setting names a service, which the app would not use.
    pub(crate) names_service: bool,
    setting: String,
    advice: String,
}

impl Unread {
    fn new(setting: &str, advice: String, names_service: bool) -> Self {
        let problem = SettingProblem::invalid(setting, format!("is not read by this app{advice}"));
        Self { problem, names_service, setting: setting.to_owned(), advice }
    }

    /// The problem of an app that has no other service.
    pub(crate) fn without_service(self) -> SettingProblem {
        let Self { setting, advice, .. } = self;
        let text = "names a service, but is not read by this app, which has no other service";
        let local =
            "to use the embedded service anyway, remove the setting, or use SignalR::local()";
        SettingProblem::invalid(setting, format!("{text}{advice} ({local})"))
    }
}

/// The unread settings. `connections` are the names of the connections of all hubs.
pub(super) fn find(settings: &Settings, connections: &[&str]) -> Vec<Unread> {
    let under_functions = settings.in_environment(env::FUNCTIONS_PORT).is_some();
    let unread = settings.all().filter_map(|(name, value)| {
        let bare = &without_prefix(name);
        if !connections.contains(&env::CONNECTION_STRING) && is_of_default(bare) {
            let others = connections.join(", ");
            let advice = format!(": no hub uses this connection, the hubs use {others}");
            return Some(Unread::new(name, advice, names_service(bare)));
        }
        if is_read(name, connections) || is_unknown(name) {
            return None;
        }
        if OF_EXTENSION.iter().any(|known| is_at_or_below(bare, known)) {
            let advice = ", only by Microsoft's extension for Azure Functions".to_owned();
            return (!under_functions).then(|| Unread::new(name, advice, false));
        }
        let nearest = nearest(bare, connections);
        let is_string = is_connection_string(name, value);
        let is_of_family = FAMILIES.iter().any(|family| plain(bare).starts_with(family));
        if nearest.is_none() && !is_string && !is_of_family {
            return None;
        }
        let first = connections.first().copied().unwrap_or(env::CONNECTION_STRING);
        let meant = nearest.or_else(|| is_string.then(|| first.to_owned()));
        let is_service = |meant: &String| {
            let names_uri = |name| is_same(meant, &format!("{name}__serviceUri"));
            connections.iter().any(|name| is_same(meant, name) || names_uri(name))
        };
        let names_service = is_string || meant.as_ref().is_some_and(is_service);
        let advice = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        Some(Unread::new(name, advice, names_service))
    });
    unread.collect()
}

/// Whether a setting of the default connection names an endpoint.
fn names_service(bare: &str) -> bool {
    let uri = format!("{}__serviceUri", env::CONNECTION_STRING);
    is_same(bare, env::CONNECTION_STRING) || is_same(bare, &uri) || is_below(bare, env::ENDPOINTS)
}

fn is_of_default(bare: &str) -> bool {
    is_at_or_below(bare, env::CONNECTION_STRING) || is_below(bare, env::ENDPOINTS)
}

fn is_read(name: &str, connections: &[&str]) -> bool {
    let prefixed = |connection: &&str| {
        // Those that `Connection::read` reads.
        let read = ["ConnectionStrings:", "CUSTOMCONNSTR_"];
        read.iter().any(|prefix| is_same(name, &format!("{prefix}{connection}")))
    };
    connections.iter().any(|connection| is_at_or_below(name, connection) || prefixed(connection))
        || is_below(name, env::ENDPOINTS)
        || APP.iter().chain(&COMMAND).chain(&LOAD).any(|known| is_same(name, known))
}

fn is_below(name: &str, parent: &str) -> bool {
    lookup_form(name).strip_prefix(&lookup_form(parent)).is_some_and(|rest| rest.starts_with(':'))
}

fn is_at_or_below(name: &str, parent: &str) -> bool {
    is_same(name, parent) || is_below(name, parent)
}

/// The lookup form of a name without the prefix that marks a connection string.
fn without_prefix(name: &str) -> String {
    let form = lookup_form(name);
    let mut prefixes = CONNECTION_STRING_PREFIXES.into_iter().map(lookup_form);
    let bare = prefixes.find_map(|prefix| form.strip_prefix(&prefix).map(str::to_owned));
    bare.unwrap_or(form)
}

/// Lower case, letters and digits only: `AZURE_SIGNALR_X` is `azuresignalrx`.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase()).collect()
}

/// The most similar setting, if there is one.
fn nearest(bare: &str, connections: &[&str]) -> Option<String> {
    let below = connections.iter().flat_map(|name| {
        let keys = BELOW_CONNECTION.into_iter();
        keys.map(move |key| format!("{name}__{key}"))
    });
    let known: Vec<_> = connections
        .iter()
        .chain(&APP)
        .map(|known| (*known).to_owned())
        .chain(below)
        .map(|known| (plain(&known), known))
        .collect();
    let name = plain(bare);
    let most = (name.len() / 6).min(MAX_TYPOS);
    let found = nearest_within(most, &name, known.iter().map(|(plain, _)| plain.as_str()))?;
    known.iter().find(|(plain, _)| plain == found).map(|(_, known)| known.clone())
}

/// Whether the value is a connection string of a SignalR service.
fn is_connection_string(name: &str, value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let has_signalr = name.to_ascii_lowercase().contains("signalr") || value.contains(".signalr.");
    value.starts_with("endpoint=") && has_signalr
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRING: &str = "Endpoint=https://x.service.signalr.net;AccessKey=topsecret;Version=1.0;";

    fn found(pairs: &[(&str, &str)], connections: &[&str]) -> Vec<(String, bool)> {
        let settings: Settings = pairs.iter().copied().collect();
        let unread = find(&settings, connections).into_iter();
        unread.map(|it| (it.problem.to_string(), it.names_service)).collect()
    }

    fn of(name: &str, value: &str) -> Option<(String, bool)> {
        found(&[(name, value)], &[env::CONNECTION_STRING]).pop()
    }

    #[test]
    fn a_connection_string_under_a_similar_name_is_found() {
        for name in [
            "Azure__SignalR__ConnectionString",
            "Azure:SignalR:ConnectionString",
            "AzureSignalRConectionString",
            "AzureSignalRConnectionStrin",
            "AZURE_SIGNALR_CONNECTIONSTRING",
            "ConnectionStrings__AzureSignalR",
            "ConnectionStrings__signalr",
            "SQLCONNSTR_AzureSignalRConnectionString",
            "Azure__SignalR__Endpoint__west",
        ] {
            let text = format!(
                "{name} is not read by this app; did you mean AzureSignalRConnectionString?"
            );
            assert_eq!(of(name, STRING), Some((text, true)));
        }
        assert!(of("CHAT", STRING).unwrap().1);
    }

    #[test]
    fn a_misspelt_setting_is_found_with_the_nearest_name() {
        for (name, meant) in [
            ("AzureSignalRRetry__MaxRetrie", "AzureSignalRRetry__MaxRetries"),
            ("AzureSignalR__Retry__Delay", "AzureSignalRRetry__Delay"),
            ("AzureSignalRHttpClientTimout", "AzureSignalRHttpClientTimeout"),
            ("HUBLOCAL_PORT", "HUB_LOCAL_PORT"),
            ("HUB_LOCAL__PORT", "HUB_LOCAL_PORT"),
            ("UPSTREAM_CODE_HUB", ""),
            ("AzureSignalRConectionString__claimsKey", "AzureSignalRConnectionString__claimsKey"),
        ] {
            let text = format!("{name} is not read by this app; did you mean {meant}?");
            let expected = (!meant.is_empty()).then_some((text, false));
            assert_eq!(of(name, "x"), expected, "{name}");
        }
        let uri = of("AzureSignalRConectionString__serviceUri", "https://x").unwrap();
        assert!(uri.1, "{uri:?}");
    }

    #[test]
    fn settings_that_are_read_and_unrelated_ones_are_not_found() {
        for (name, value) in [
            ("ConnectionStrings__AzureSignalRConnectionString", STRING),
            ("CUSTOMCONNSTR_azuresignalrconnectionstring", STRING),
            ("AzureSignalRConnectionString__previousAccessKey", "x"),
            ("Azure__SignalR__Endpoints__west__primary", STRING),
            ("azuresignalrretry:maxretries", "1"),
            ("HUB_LOCAL_LOG", "info"),
            ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
            ("ServiceBus", "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKey=x"),
            ("PORT", "80"),
            ("HUB_LOCAL_POT", "already a problem when the settings are read"),
            ("AZURE_SIGNALR_CONNECTIONSTRING", " "),
        ] {
            assert_eq!(of(name, value), None, "{name}");
        }
    }

    #[test]
    fn settings_of_the_functions_extension_are_found_outside_functions() {
        let setting = ("Azure__SignalR__HubProtocol__MessagePack__Enabled", "true");
        let text = "is not read by this app, only by Microsoft's extension for Azure Functions";

        assert_eq!(of(setting.0, setting.1), Some((format!("{} {text}", setting.0), false)));
        let host = ("FUNCTIONS_CUSTOMHANDLER_PORT", "1");
        assert!(found(&[setting, host], &[env::CONNECTION_STRING]).is_empty());
    }

    #[test]
    fn settings_of_a_connection_that_no_hub_uses_are_found() {
        let settings = [
            ("Azure__SignalR__Endpoints__west", STRING),
            ("AzureSignalRConnectionString__claimsKey", "x"),
            ("ChatSignalR", STRING),
        ];
        let because =
            "is not read by this app: no hub uses this connection, the hubs use ChatSignalR";

        let expected = [
            (format!("Azure__SignalR__Endpoints__west {because}"), true),
            (format!("AzureSignalRConnectionString__claimsKey {because}"), false),
        ];
        assert_eq!(found(&settings, &["ChatSignalR"]), expected);
        assert!(found(&settings, &[env::CONNECTION_STRING, "ChatSignalR"]).is_empty());
    }

    #[test]
    fn no_text_contains_a_value() {
        assert!(!of("AzureSignalR", STRING).unwrap().0.contains("topsecret"));
    }
}
