//! The names of environment variables, and which of them show a cloud host.

/// The connection string of the service.
pub(crate) const CONNECTION_STRING: &str = "AzureSignalRConnectionString";
/// Further endpoints of the default connection.
pub(crate) const ENDPOINTS: &str = "Azure:SignalR:Endpoints";
/// A secret that every upstream call must know.
pub(crate) const UPSTREAM_CODE: &str = "HUB_UPSTREAM_CODE";
/// Where tokens of Microsoft Entra come from, in a cloud of its own.
pub(crate) const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
/// How long a REST call may take.
pub(crate) const HTTP_TIMEOUT: &str = "AzureSignalRHttpClientTimeout";
/// How often REST calls are tried again.
pub(crate) const RETRY: &str = "AzureSignalRRetry";
/// The port of the embedded service.
pub(crate) const LOCAL_PORT: &str = "HUB_LOCAL_PORT";
/// The key of the embedded service; random per start without it.
pub(crate) const LOCAL_KEY: &str = "HUB_LOCAL_KEY";
/// Where browsers reach the embedded service, if not on loopback.
pub(crate) const LOCAL_URL: &str = "HUB_LOCAL_URL";
/// The port of the app.
#[cfg(feature = "server")]
pub(crate) const PORT: &str = "PORT";
/// The port at which the Functions host calls the app that it started.
pub(crate) const FUNCTIONS_PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
/// The same from older hosts.
pub(crate) const OLD_FUNCTIONS_PORT: &str = "FUNCTIONS_HTTPWORKER_PORT";
/// Where AWS Lambda gives events.
#[cfg(feature = "server")]
pub(crate) const LAMBDA_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// App Service sets it to `true` when its authentication is in front of the app.
pub(crate) const APP_SERVICE_AUTH: &str = "WEBSITE_AUTH_ENABLED";

/// Variables that hosting platforms set.
const CLOUD_HOSTS: [&str; 8] = [
    "WEBSITE_INSTANCE_ID",
    "AWS_LAMBDA_RUNTIME_API",
    "KUBERNETES_SERVICE_HOST",
    "K_SERVICE",
    "CONTAINER_APP_NAME",
    "ECS_CONTAINER_METADATA_URI_V4",
    "FLY_APP_NAME",
    "DYNO",
];

/// Reads variables. The process's own environment is one of them, a map in a test another.
pub(crate) trait Variables {
    fn get(&self, name: &str) -> Option<String>;

    /// The value, unless it is empty.
    fn set(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.trim().is_empty())
    }
}

impl<F: Fn(&str) -> Option<String>> Variables for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// The process's environment.
pub(crate) fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variable that shows a cloud host, if one does.
pub(crate) fn cloud_host(variables: &impl Variables) -> Option<&'static str> {
    // The second is what the Functions host itself gives, on plans without the first.
    const FUNCTIONS: [&str; 2] = ["FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_CUSTOMHANDLER_PORT"];
    let develops =
        variables.set("AZURE_FUNCTIONS_ENVIRONMENT").is_some_and(|value| value == "Development");
    let functions = FUNCTIONS.into_iter().filter(|_| !develops);
    functions.chain(CLOUD_HOSTS).find(|name| variables.set(name).is_some())
}
