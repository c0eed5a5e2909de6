//! Why an app cannot be built.

use crate::config::ConfigError;

/// Why an app cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Hubs and settings are invalid. Lists every problem.
    #[error("the app cannot start:{}", list(.0))]
    Problems(Vec<String>),
    /// The settings of the service are invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `build` was called outside a tokio runtime, which the embedded service needs.
    #[error("the embedded service needs a tokio runtime: call build() inside #[tokio::main]")]
    NoRuntime,
    /// The configured port is in use.
    #[error(
        "port {port} is in use: set {variable} to another port, or stop the process that listens there"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// The variable that configures it.
        variable: &'static str,
    },
    /// The embedded service cannot open a listener.
    #[error("cannot open a listener for the embedded service")]
    Listen(#[source] std::io::Error),
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client")]
    HttpClient(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A setting needs a feature of this crate that is disabled.
    #[error("enable the feature `{0}` of hub-runtime, which the settings need")]
    Feature(&'static str),
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}
