//! Problems of settings: each names the setting and the accepted values.

use std::fmt;

use super::ConnectionStringError;

/// The settings are invalid. Contains every problem that was found.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<SettingProblem>,
}

impl ConfigError {
    /// The problems, in the order of the settings.
    #[must_use]
    pub fn problems(&self) -> &[SettingProblem] {
        &self.problems
    }

    /// `value`, or the problems if there are any.
    pub(crate) fn unless<T>(problems: Vec<SettingProblem>, value: T) -> Result<T, Self> {
        if problems.is_empty() { Ok(value) } else { Err(Self { problems }) }
    }
}

impl From<SettingProblem> for ConfigError {
    fn from(problem: SettingProblem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => only.fmt(f),
            several => {
                f.write_str("the settings cannot be used:")?;
                several.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// A problem of a setting. No text contains the value of a secret.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingProblem {
    /// No service is configured, and the embedded service was not allowed.
    #[error(
        "no SignalR service: set the variable {setting} to the connection string of the service, or {setting}__serviceUri to its URL"
    )]
    Missing {
        /// The setting.
        setting: String,
    },
    /// No service is configured on a cloud host, whose clients cannot reach an embedded service.
    #[error(
        "no SignalR service: {host} is set, so this is a cloud host, where the embedded service is not started; set the variable {setting} to the connection string of the service, or {setting}__serviceUri to its URL"
    )]
    CloudHost {
        /// The setting that is missing.
        setting: String,
        /// The variable that identifies the host.
        host: &'static str,
    },
    /// A connection string is malformed.
    #[error("{setting} is not a usable connection string: {problem}")]
    ConnectionString {
        /// The setting.
        setting: String,
        /// The problem.
        problem: ConnectionStringError,
    },
    /// Another setting is malformed.
    #[error("{setting} {problem}")]
    Invalid {
        /// The setting.
        setting: String,
        /// The problem and the accepted values.
        problem: String,
    },
    /// Two spellings of one setting with different values.
    #[error("{first} and {second} are two spellings of one setting and differ: remove one of them")]
    Ambiguous {
        /// One spelling.
        first: String,
        /// The other spelling.
        second: String,
    },
    /// The emulator's well-known key with an address beyond loopback.
    #[error(
        "{setting} contains the well-known key of the emulator, which is public; it is accepted for loopback endpoints only"
    )]
    WellKnownKey {
        /// The setting.
        setting: String,
    },
    /// The file `local.settings.json` cannot be used.
    #[error("local.settings.json {problem}")]
    File {
        /// The problem and how to fix it.
        problem: String,
    },
}

impl SettingProblem {
    pub(crate) fn invalid(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { setting: setting.into(), problem: problem.into() }
    }
}
