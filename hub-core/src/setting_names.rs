//! The names of all settings, in one table: those of an app, of the `hub-local` command, and of Microsoft's
//! software, whose settings may be in the same environment.
//!
//! `<name>` is the name of a connection, `AzureSignalRConnectionString` by default. Names ignore case, and `:`
//! equals `__`.

/// The connection string of the service, and the default name of a connection.
pub const CONNECTION_STRING: &str = "AzureSignalRConnectionString";
/// The settings below a connection: `<name>__serviceUri` and so on.
pub const BELOW_CONNECTION: [&str; 16] = [
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
/// More endpoints of the default connection. Those of another connection are below `<name>__Endpoints`.
pub const ENDPOINTS: &str = "Azure__SignalR__Endpoints";
/// The settings below an endpoint of [`ENDPOINTS`] that has a `serviceUri`.
pub const BELOW_ENDPOINT: [&str; 8] = [
    "type",
    "clientEndpoint",
    "serverEndpoint",
    "credential",
    "clientId",
    "managedIdentityResourceId",
    "tenantId",
    "clientSecret",
];
/// App Service adds one of these prefixes to the names of connection strings.
pub const CONNECTION_STRING_PREFIXES: [&str; 6] = [
    "ConnectionStrings:",
    "CUSTOMCONNSTR_",
    "SQLCONNSTR_",
    "SQLAZURECONNSTR_",
    "MYSQLCONNSTR_",
    "POSTGRESQLCONNSTR_",
];

/// The timeout of a REST call.
pub const HTTP_TIMEOUT: &str = "AzureSignalRHttpClientTimeout";
/// The code that every upstream call must send in its query.
pub const UPSTREAM_CODE: &str = "HUB_UPSTREAM_CODE";
/// Whether errors to clients name the parameter and the type that an argument does not fit.
pub const DETAILED_ERRORS: &str = "HUB_DETAILED_ERRORS";
/// More hosts whose requests an app and its service answer, besides the hosts that are always allowed.
pub const LOCAL_HOSTS: &str = "HUB_LOCAL_HOSTS";
/// The access key of the local service.
pub const LOCAL_KEY: &str = "HUB_LOCAL_KEY";
/// The port of the local service.
pub const LOCAL_PORT: &str = "HUB_LOCAL_PORT";
/// The public URL of the local service.
pub const LOCAL_URL: &str = "HUB_LOCAL_URL";

/// Whether the local service has its inspector: `on` or `off`.
pub const LOCAL_INSPECTOR: &str = "HUB_LOCAL_INSPECTOR";
/// Fields whose values the inspector hides.
pub const LOCAL_INSPECTOR_MASK: &str = "HUB_LOCAL_INSPECTOR_MASK";
/// Whether the inspector keeps arguments, bodies and results: `on` or `off`.
pub const LOCAL_INSPECTOR_PAYLOADS: &str = "HUB_LOCAL_INSPECTOR_PAYLOADS";
/// The token of the inspector.
pub const LOCAL_INSPECTOR_TOKEN: &str = "HUB_LOCAL_INSPECTOR_TOKEN";

/// The settings of an app that belong to no connection.
pub const APP: [&str; 15] = [
    DETAILED_ERRORS,
    HTTP_TIMEOUT,
    "AzureSignalRRetry__MaxRetries",
    "AzureSignalRRetry__Delay",
    "AzureSignalRRetry__MaxDelay",
    "AzureSignalRRetry__Mode",
    UPSTREAM_CODE,
    LOCAL_HOSTS,
    LOCAL_INSPECTOR,
    LOCAL_INSPECTOR_MASK,
    LOCAL_INSPECTOR_PAYLOADS,
    LOCAL_INSPECTOR_TOKEN,
    LOCAL_KEY,
    LOCAL_PORT,
    LOCAL_URL,
];
/// The path of the binary for the npm package of `hub-local`.
pub const NPM_BINARY: &str = "HUB_LOCAL_BINARY";
/// The package with which the command was installed: `npm` or `pypi`. The packages set it for the programs that they start.
pub const PACKAGE: &str = "HUB_LOCAL_PACKAGE";
/// The settings of the command `hub-local`, and of the packages that start it.
pub const COMMAND: [&str; 15] = [
    NPM_BINARY,
    "HUB_LOCAL_CLAIMS_KEY",
    LOCAL_HOSTS,
    LOCAL_INSPECTOR,
    LOCAL_INSPECTOR_MASK,
    LOCAL_INSPECTOR_PAYLOADS,
    LOCAL_INSPECTOR_TOKEN,
    "HUB_LOCAL_IP",
    LOCAL_KEY,
    "HUB_LOCAL_LOG",
    PACKAGE,
    LOCAL_PORT,
    "HUB_LOCAL_PUBLIC",
    "HUB_LOCAL_SECONDARY_KEY",
    LOCAL_URL,
];
/// The settings of `hub-local load`.
pub const LOAD: [&str; 2] = ["HUB_LOCAL_LOAD_BEARER", "HUB_LOCAL_LOAD_CONNECTION_STRING"];
/// The prefixes of the settings that only this project has.
pub const OWN_PREFIXES: [&str; 3] = ["HUB_DETAILED_", "HUB_LOCAL_", "HUB_UPSTREAM_"];
/// Settings of Microsoft's extension for Azure Functions that have no meaning for an app, and the prefix of
/// more of them.
pub const OF_EXTENSION: [&str; 2] =
    ["AzureSignalRServiceTransportType", "Azure__SignalR__HubProtocol"];

/// Lower case, with `:` for `__`.
#[must_use]
pub fn lookup_form(name: &str) -> String {
    name.replace("__", ":").to_ascii_lowercase()
}

/// Whether two names are spellings of one setting.
#[must_use]
pub fn is_same(left: &str, right: &str) -> bool {
    lookup_form(left) == lookup_form(right)
}

/// Whether Kubernetes sets a variable of this name for a service with the name `hub-local`
/// (Kubernetes, "Service", environment variables). It also sets `HUB_LOCAL_PORT`, to a URL such as
/// `tcp://10.0.0.1:8888`: see [`is_service_link`].
fn is_of_service(form: &str) -> bool {
    let rest = form.strip_prefix("hub_local_").unwrap_or_default();
    let is_port = |rest: &str| rest.starts_with(|digit: char| digit.is_ascii_digit());
    rest.starts_with("service_") || rest.strip_prefix("port_").is_some_and(is_port)
}

/// Whether the value of a port setting is the URL that Kubernetes sets for a service of that name.
#[must_use]
pub fn is_service_link(port: &str) -> bool {
    port.contains("://")
}

/// Whether a name begins with one of [`OWN_PREFIXES`], but is not the name of a setting.
#[must_use]
pub fn is_unknown(name: &str) -> bool {
    let form = lookup_form(name);
    if is_of_service(&form) {
        return false;
    }
    let is_own = OWN_PREFIXES.iter().any(|prefix| form.starts_with(&lookup_form(prefix)));
    is_own && !APP.iter().chain(&COMMAND).chain(&LOAD).any(|known| is_same(known, &form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_own_name_is_known_in_any_case() {
        for name in APP.iter().chain(&COMMAND).chain(&LOAD) {
            assert!(!is_unknown(name) && !is_unknown(&name.to_ascii_lowercase()), "{name}");
        }
        for name in ["PATH", "HUB_LOCAL_SERVICE_HOST", "HUB_LOCAL_PORT_8888_TCP_ADDR"] {
            assert!(!is_unknown(name), "{name}");
        }
        assert!(is_service_link("tcp://10.0.0.1:8888") && !is_service_link("8888"));
    }

    #[test]
    fn other_names_with_an_own_prefix_are_unknown() {
        for name in ["HUB_LOCAL_POT", "hub_local_", "HUB_UPSTREAM_COD", "HUB_LOCAL_LOAD_X"] {
            assert!(is_unknown(name), "{name}");
        }
    }
}
