//! Variables of hosting platforms, and detection of cloud hosts. The names of the app's own settings are in
//! [`hub_core::setting_names`].

pub(crate) use hub_core::setting_names::{
    CONNECTION_STRING, DETAILED_ERRORS, ENDPOINTS, HTTP_TIMEOUT, LOCAL_HOSTS, LOCAL_INSPECTOR,
    LOCAL_INSPECTOR_MASK, LOCAL_INSPECTOR_PAYLOADS, LOCAL_INSPECTOR_TOKEN, LOCAL_KEY, LOCAL_PORT,
    LOCAL_URL, UPSTREAM_CODE,
};

/// The authority of Microsoft Entra, for sovereign clouds.
pub(crate) const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
/// The retry policy of REST calls.
pub(crate) const RETRY: &str = "AzureSignalRRetry";
/// The port of the app.
#[cfg(feature = "server")]
pub(crate) const PORT: &str = "PORT";
/// The port on which the Functions host calls its custom handler.
pub(crate) const FUNCTIONS_PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
/// The name of the variable with this port in older hosts.
pub(crate) const OLD_FUNCTIONS_PORT: &str = "FUNCTIONS_HTTPWORKER_PORT";
/// The address of the AWS Lambda runtime API.
#[cfg(feature = "server")]
pub(crate) const LAMBDA_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// `true` when the authentication of App Service is enabled.
pub(crate) const APP_SERVICE_AUTH: &str = "WEBSITE_AUTH_ENABLED";

/// Variables of hosting platforms.
pub(crate) const CLOUD_HOSTS: [&str; 8] = [
    "WEBSITE_INSTANCE_ID",
    "AWS_LAMBDA_RUNTIME_API",
    "KUBERNETES_SERVICE_HOST",
    "K_SERVICE",
    "CONTAINER_APP_NAME",
    "ECS_CONTAINER_METADATA_URI_V4",
    "FLY_APP_NAME",
    "DYNO",
];

/// Variables of the Functions host, which sets the second one on plans that do not set the first.
pub(crate) const FUNCTIONS: [&str; 2] = ["FUNCTIONS_WORKER_RUNTIME", FUNCTIONS_PORT];
/// `Development` under the Functions tools, on the machine of a developer.
pub(crate) const FUNCTIONS_ENVIRONMENT: &str = "AZURE_FUNCTIONS_ENVIRONMENT";

/// A source of variables: the environment of the process, or a map in tests.
pub(crate) trait Variables {
    fn get(&self, name: &str) -> Option<String>;

    /// The value of a variable. An empty value counts as not set.
    fn set(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.trim().is_empty())
    }
}

impl<F: Fn(&str) -> Option<String>> Variables for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// A variable of the process's environment.
pub(crate) fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variable that identifies a cloud host, if one is set.
pub(crate) fn cloud_host(variables: &impl Variables) -> Option<&'static str> {
    let develops = variables.set(FUNCTIONS_ENVIRONMENT).is_some_and(|value| value == "Development");
    let functions = FUNCTIONS.into_iter().filter(|_| !develops);
    functions.chain(CLOUD_HOSTS).find(|name| variables.set(name).is_some())
}
