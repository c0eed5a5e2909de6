//! Which SignalR service the app uses: settings, identities, retries.

pub(crate) mod connection;
pub(crate) mod connection_string;
pub(crate) mod endpoint;
pub(crate) mod env;
mod local_settings;
mod problem;
pub(crate) mod rest;
mod settings;
pub(crate) mod signalr;
mod unknown;
pub(crate) mod unread;
pub(crate) mod upstream;
mod values;

#[doc(inline)]
pub use hub_core::Secret;

pub use self::{
    connection_string::ConnectionStringError,
    problem::{ConfigError, SettingProblem},
    settings::Settings,
};
pub(crate) use self::{
    endpoint::EndpointRole,
    signalr::{InspectorPlan, LocalPlan, Plan, SignalR},
};
pub use crate::{
    auth::{AccessToken, TokenSource, TokenSourceError},
    rest::Retries,
};

/// The problem of an invalid port.
const NOT_A_PORT: &str = "is not a port: it must be a number from 0 to 65535";

/// A port variable, if it is set.
#[cfg(feature = "server")]
pub(crate) fn port(
    variables: &impl env::Variables,
    variable: &'static str,
) -> Result<Option<u16>, ConfigError> {
    let Some(text) = variables.set(variable) else { return Ok(None) };
    let port = text.trim().parse().map(Some);
    port.map_err(|_| SettingProblem::invalid(variable, NOT_A_PORT).into())
}

/// The port that the Functions host assigned, if the app is its custom handler.
#[cfg(feature = "server")]
pub(crate) fn functions_port(variables: &impl env::Variables) -> Result<Option<u16>, ConfigError> {
    match port(variables, env::FUNCTIONS_PORT)? {
        Some(given) => Ok(Some(given)),
        None => port(variables, env::OLD_FUNCTIONS_PORT),
    }
}

#[cfg(test)]
mod tests;
