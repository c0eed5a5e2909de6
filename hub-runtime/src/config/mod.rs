//! Which service the app stands on.

pub(crate) mod connection_string;
pub(crate) mod env;
mod unknown;

use std::net::IpAddr;

use http::Uri;
use hub_core::Secret;

pub use self::connection_string::ConnectionStringError;
use self::{connection_string::ConnectionString, env::Variables};

/// The access key that every emulator of the service knows. It protects nothing.
pub(crate) const WELL_KNOWN_KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

/// Which SignalR service the app stands on: the one of a connection string, or the embedded one.
///
/// This is data: nothing is opened before `HubApp::builder().build()`.
#[derive(Clone, Debug)]
pub struct SignalR {
    pub(crate) plan: Plan,
    pub(crate) claims_key: Option<Secret>,
    pub(crate) previous_access_key: Option<Secret>,
    pub(crate) trust_plain_claims: bool,
    /// What is wrong with names of variables; `build()` reports it with everything else.
    pub(crate) unknown_settings: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// A service elsewhere.
    Service(Box<ConnectionString>),
    /// The embedded service.
    #[cfg_attr(not(feature = "local"), expect(dead_code, reason = "build() names the feature"))]
    Local(LocalPlan),
}

/// Settings of the embedded service.
#[cfg_attr(not(feature = "local"), allow(dead_code, reason = "build() names the feature instead"))]
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalPlan {
    /// The port asked for; without one the default port, else a free one.
    pub(crate) port: Option<u16>,
    pub(crate) key: Option<Secret>,
    pub(crate) url: Option<Uri>,
    /// No listener: everything stays in the process.
    pub(crate) in_memory: bool,
}

/// Why the settings name no usable service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No setting, and none may be made up.
    #[error(
        "no SignalR service: set the variable {variable} to the connection string of the service"
    )]
    Missing {
        /// The variable.
        variable: &'static str,
    },
    /// No setting on a cloud host, where the embedded service would be of no use.
    #[error(
        "no SignalR service: {host} shows a cloud host, where the embedded service is not started; set the variable {variable} to the connection string of the service"
    )]
    CloudHost {
        /// The variable that is missing.
        variable: &'static str,
        /// The variable that shows the host.
        host: &'static str,
    },
    /// The connection string is malformed.
    #[error("{variable} is not a usable connection string: {problem}")]
    ConnectionString {
        /// The variable.
        variable: &'static str,
        /// What is wrong.
        problem: ConnectionStringError,
    },
    /// Another variable is malformed.
    #[error("{variable} {problem}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// What is wrong and what it may be.
        problem: &'static str,
    },
    /// The well-known key with an address that others can reach.
    #[error(
        "the connection string holds the well-known key of the emulator, which protects nothing; it is accepted for loopback endpoints only"
    )]
    WellKnownKey,
}

impl SignalR {
    /// The service of the environment's connection string (`AzureSignalRConnectionString`).
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self::from_variables(env::process)?.among(env::names()))
    }

    /// The service of the environment's connection string, else the embedded one.
    ///
    /// # Errors
    /// When a variable is malformed, or when there is no connection string on a cloud host.
    pub fn from_env_or_local() -> Result<Self, ConfigError> {
        Ok(Self::from_variables_or_local(env::process)?.among(env::names()))
    }

    /// [`Self::from_env`] with the variables given by a function.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn from_variables(variables: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = env::CONNECTION_STRING;
        let text = variables.set(variable).ok_or(ConfigError::Missing { variable })?;
        Self::with_variables(Self::connection_string(&text)?, &variables)
    }

    /// [`Self::from_env_or_local`] with the variables given by a function.
    ///
    /// # Errors
    /// As [`Self::from_env_or_local`].
    pub fn from_variables_or_local(
        variables: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        if variables.set(env::CONNECTION_STRING).is_some() {
            return Self::from_variables(variables);
        }
        if let Some(host) = env::cloud_host(&variables) {
            return Err(ConfigError::CloudHost { variable: env::CONNECTION_STRING, host });
        }
        let plan = LocalPlan {
            port: port(&variables, env::LOCAL_PORT)?,
            key: variables.set(env::LOCAL_KEY).map(Secret::from),
            url: variables.set(env::LOCAL_URL).map(|url| base_url(&url)).transpose()?,
            in_memory: false,
        };
        Self::with_variables(Self::planned(Plan::Local(plan)), &variables)
    }

    /// The service of a connection string.
    ///
    /// # Errors
    /// When it is malformed, or holds the emulator's well-known key for an address that others reach.
    pub fn connection_string(text: &str) -> Result<Self, ConfigError> {
        let parsed = ConnectionString::parse(text).map_err(|problem| {
            ConfigError::ConnectionString { variable: env::CONNECTION_STRING, problem }
        })?;
        let well_known = parsed.access_key.expose() == WELL_KNOWN_KEY;
        if well_known && !parsed.endpoints().all(|uri| uri.host().is_some_and(is_loopback)) {
            return Err(ConfigError::WellKnownKey);
        }
        Ok(Self::planned(Plan::Service(Box::new(parsed))))
    }

    /// The embedded service on loopback, with a random key.
    #[must_use]
    pub fn local() -> Self {
        Self::planned(Plan::Local(LocalPlan::default()))
    }

    /// The embedded service without a listener, for tests in memory.
    #[cfg(feature = "testing")]
    pub(crate) fn in_memory() -> Self {
        Self::planned(Plan::Local(LocalPlan { in_memory: true, ..LocalPlan::default() }))
    }

    /// A key of its own for sealed claims instead of the access key. At least 32 bytes.
    #[must_use]
    pub fn claims_key(mut self, key: impl Into<Secret>) -> Self {
        self.claims_key = Some(key.into());
        self
    }

    /// The access key before the last rotation: signatures and seals made with it still hold.
    #[must_use]
    pub fn previous_access_key(mut self, key: impl Into<Secret>) -> Self {
        self.previous_access_key = Some(key.into());
        self
    }

    /// Reads claims from the service's plain claims header for calls that carry no seal, which is for
    /// clients whose tokens were not made by this app's `negotiate`.
    ///
    /// **Only where no client chooses any of its claim values.** The header has no escaping: whoever
    /// may choose a display name such as `Bob, role: admin` becomes an administrator.
    #[must_use]
    pub fn trust_plain_claims(mut self) -> Self {
        self.trust_plain_claims = true;
        self
    }

    fn planned(plan: Plan) -> Self {
        Self {
            plan,
            claims_key: None,
            previous_access_key: None,
            trust_plain_claims: false,
            unknown_settings: Vec::new(),
        }
    }

    /// Remembers which variables look like settings and are none.
    fn among(mut self, names: impl Iterator<Item = String>) -> Self {
        self.unknown_settings = unknown::settings(names);
        self
    }

    fn with_variables(mut self, variables: &impl Variables) -> Result<Self, ConfigError> {
        if let Some(key) = variables.set(env::CLAIMS_KEY) {
            if key.len() < MIN_CLAIMS_KEY {
                let problem = "is too short: a claims key has at least 32 bytes";
                return Err(ConfigError::Variable { variable: env::CLAIMS_KEY, problem });
            }
            self.claims_key = Some(Secret::from(key));
        }
        self.previous_access_key = variables.set(env::PREVIOUS_ACCESS_KEY).map(Secret::from);
        Ok(self)
    }
}

/// The shortest claims key, in bytes.
pub(crate) const MIN_CLAIMS_KEY: usize = 32;

/// Whether a host name or address never leaves the machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A port variable, if it is set.
pub(crate) fn port(
    variables: &impl Variables,
    variable: &'static str,
) -> Result<Option<u16>, ConfigError> {
    let Some(text) = variables.set(variable) else { return Ok(None) };
    let problem = "is not a port: it must be a number from 0 to 65535";
    text.trim().parse().map(Some).map_err(|_| ConfigError::Variable { variable, problem })
}

/// The port that the Functions host gives, if the app runs under it.
#[cfg(feature = "server")]
pub(crate) fn functions_port(variables: &impl Variables) -> Result<Option<u16>, ConfigError> {
    match port(variables, env::FUNCTIONS_PORT)? {
        Some(given) => Ok(Some(given)),
        None => port(variables, env::OLD_FUNCTIONS_PORT),
    }
}

fn base_url(text: &str) -> Result<Uri, ConfigError> {
    let problem = "is not a URL: it must be like http://host:port";
    let uri: Option<Uri> = text.trim().trim_end_matches('/').parse().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .ok_or(ConfigError::Variable { variable: env::LOCAL_URL, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRING: &str = "Endpoint=https://x.service.signalr.net;AccessKey=k;Version=1.0;";

    fn variables<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + use<'a> {
        |name| pairs.iter().find(|(held, _)| *held == name).map(|(_, value)| (*value).to_owned())
    }

    fn or_local(pairs: &[(&str, &str)]) -> Result<SignalR, ConfigError> {
        SignalR::from_variables_or_local(variables(pairs))
    }

    #[test]
    fn without_a_setting_the_embedded_service_is_planned() {
        assert!(matches!(or_local(&[]).unwrap().plan, Plan::Local(_)));
        assert!(matches!(
            SignalR::from_variables(variables(&[])),
            Err(ConfigError::Missing { variable: "AzureSignalRConnectionString" })
        ));
    }

    #[test]
    fn a_connection_string_wins_over_the_embedded_service() {
        let signalr = or_local(&[(env::CONNECTION_STRING, STRING)]).unwrap();

        assert!(matches!(signalr.plan, Plan::Service(_)));
    }

    #[test]
    fn every_cloud_host_refuses_the_embedded_service() {
        for host in [
            "FUNCTIONS_WORKER_RUNTIME",
            "WEBSITE_INSTANCE_ID",
            "AWS_LAMBDA_RUNTIME_API",
            "KUBERNETES_SERVICE_HOST",
            "K_SERVICE",
            "CONTAINER_APP_NAME",
            "ECS_CONTAINER_METADATA_URI_V4",
            "FLY_APP_NAME",
            "DYNO",
        ] {
            let error = or_local(&[(host, "x")]).unwrap_err();

            assert!(matches!(&error, ConfigError::CloudHost { host: shown, .. } if *shown == host));
        }
    }

    #[test]
    fn a_functions_host_on_the_developers_machine_is_no_cloud_host() {
        let local = or_local(&[
            ("FUNCTIONS_WORKER_RUNTIME", "Custom"),
            ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
        ]);

        assert!(local.is_ok());
    }

    #[test]
    fn a_bad_port_is_named_with_what_it_may_be() {
        let error = or_local(&[(env::LOCAL_PORT, "eighty")]).unwrap_err();

        assert_eq!(
            error.to_string(),
            "HUB_LOCAL_PORT is not a port: it must be a number from 0 to 65535"
        );
    }

    #[test]
    fn the_well_known_key_is_for_loopback_only() {
        let with = |host| format!("Endpoint=http://{host};AccessKey={WELL_KNOWN_KEY};Version=1.0;");

        assert!(SignalR::connection_string(&with("localhost")).is_ok());
        assert!(SignalR::connection_string(&with("[::1]")).is_ok());
        let elsewhere = with("localhost;ServerEndpoint=http://evil.example");
        assert!(matches!(SignalR::connection_string(&elsewhere), Err(ConfigError::WellKnownKey)));
        assert!(matches!(
            SignalR::connection_string(&with("10.0.0.5")),
            Err(ConfigError::WellKnownKey)
        ));
    }

    #[test]
    fn debug_output_shows_no_key() {
        let shown = format!("{:?}", SignalR::connection_string(STRING).unwrap().claims_key("k2"));

        assert!(shown.contains("Secret") && !shown.contains("k2"));
    }
}
