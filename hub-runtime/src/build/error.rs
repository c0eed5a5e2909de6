//! Why an app cannot be built.

use crate::config::ConfigError;

/// Why an app cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Hubs and settings do not fit together; every problem is listed.
    #[error("the app cannot start:{}", list(.0))]
    Problems(Vec<String>),
    /// The settings of the service are not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The embedded service needs a tokio runtime to run on.
    #[error("the embedded service needs a tokio runtime: call build() inside #[tokio::main]")]
    NoRuntime,
    /// The port that was asked for is not free.
    #[error("port {port} is taken: choose another one in {variable}, or stop what listens there")]
    PortTaken {
        /// The port.
        port: u16,
        /// The variable that asks for it.
        variable: &'static str,
    },
    /// No listener could be opened.
    #[error("no listener could be opened for the embedded service")]
    Listen(#[source] std::io::Error),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    HttpClient(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was asked for is in a feature that is switched off.
    #[error("this needs the feature `{0}` of hub-runtime")]
    Feature(&'static str),
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}
