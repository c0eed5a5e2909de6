//! Why an app cannot be built.

use hub_core::names::NameError;

use crate::config::{ConfigError, SettingProblem};

/// Why an app cannot be built. `Debug` writes the same text as `Display`, so that `main` can return the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Hubs and settings are invalid. Lists every problem.
    #[error("the app cannot start:{}", list(.0))]
    Problems(Vec<BuildProblem>),
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
        /// The variable that configures the port.
        variable: &'static str,
    },
    /// The embedded service cannot open a listener.
    #[error("cannot open a listener for the embedded service: {0}")]
    Listen(std::io::Error),
    /// The file of [`HubAppBuilder::record`](crate::HubAppBuilder::record) cannot be created.
    #[error("the recording {} cannot be written: {error}", path.display())]
    Record {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client: {0}")]
    HttpClient(Box<dyn std::error::Error + Send + Sync>),
    /// A setting needs a feature of this crate that is disabled.
    #[error("the settings require the feature `{0}` of hub-runtime: enable it in Cargo.toml")]
    Feature(&'static str),
}

impl BuildError {
    /// Every problem of hubs and settings; empty unless [`Self::Problems`].
    ///
    /// ```
    /// use hub_runtime::{BuildProblem, HubApp};
    ///
    /// let error = HubApp::builder().build().unwrap_err();
    /// assert_eq!(error.problems(), [BuildProblem::NoService, BuildProblem::NoHub]);
    /// ```
    #[must_use]
    pub fn problems(&self) -> &[BuildProblem] {
        match self {
            Self::Problems(problems) => problems,
            _ => &[],
        }
    }
}

fn list(problems: &[BuildProblem]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

/// A problem of the hubs or settings of an app. The text contains the fix.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildProblem {
    /// The builder has no service.
    #[error("no SignalR service: call .signalr(SignalR::from_env_or_local()?)")]
    NoService,
    /// The builder has no hub.
    #[error("no hub: call .hub(…) for each hub")]
    NoHub,
    /// `discover` found no hub.
    #[error(
        "discover() found no hub: a crate without other uses is not linked; import it: `use chat_hubs as _;`"
    )]
    NothingDiscovered,
    /// The service does not accept the name of a hub.
    #[error("hub `{name}`: {}", NameError::Hub)]
    InvalidHubName {
        /// The name, with the prefix of the application.
        name: String,
    },
    /// Two hubs have the same name.
    #[error(
        "two hubs are named `{name}`: `{first}` and `{second}`; rename one of them: `#[serverless_hub(name = \"…\")]`"
    )]
    SameHubName {
        /// The name.
        name: String,
        /// The type of the first hub.
        first: &'static str,
        /// The type of the second hub.
        second: &'static str,
    },
    /// Two hubs have the same name at the service, because one name contains the prefix of an application.
    #[error("two hubs are named `{name}` at the service")]
    SameNameAtService {
        /// The name at the service.
        name: String,
    },
    /// A hub is mounted more than once.
    #[error(
        "the hub `{name}` is mounted more than once; keep one of `.hub(…)` and `.discover()` for it"
    )]
    MountedTwice {
        /// The name of the hub.
        name: String,
    },
    /// An origin cannot be allowed.
    #[error("{problem}")]
    InvalidOrigin {
        /// The origin.
        origin: String,
        /// The cause and the fix.
        problem: String,
    },
    /// An upstream path does not begin with `/`.
    #[error("the upstream path `{path}` must begin with `/`")]
    InvalidUpstreamPath {
        /// The path.
        path: String,
    },
    /// A host cannot be allowed.
    #[error("{problem}")]
    InvalidHost {
        /// The host.
        host: String,
        /// The cause and the fix.
        problem: String,
    },
    /// An access key, a previous access key or the upstream code is empty, or can be guessed from where the
    /// service calls the app.
    #[error("{problem}")]
    WeakSecret {
        /// The name of the secret, the cause and the fix.
        problem: String,
    },
    /// The negotiate limit has a count or a period of zero.
    #[error("the negotiate limit rejects every client: count and period must be greater than zero")]
    InvalidNegotiateLimit,
    /// The builder has a setting for negotiate, but no hub has a `negotiate`.
    #[error("`{setting}` has no effect: no hub has a `negotiate`")]
    NoEffect {
        /// The method of the builder.
        setting: &'static str,
    },
    /// A setting of the service is invalid.
    #[error(transparent)]
    Setting(#[from] SettingProblem),
    /// The key that seals claims is too short.
    #[error("the claims key is too short: at least 32 bytes")]
    ShortClaimsKey,
    /// An endpoint without an access key needs the feature `identity`.
    #[error(
        "the endpoint {endpoint} has no access key: to sign in with Microsoft Entra, enable the feature `identity` of hub-runtime"
    )]
    IdentityFeature {
        /// The name of the endpoint.
        endpoint: String,
    },
    /// The identity of an endpoint cannot be used.
    #[error("the identity of the endpoint {endpoint}: {problem}")]
    Identity {
        /// The name of the endpoint.
        endpoint: String,
        /// The cause and the fix.
        problem: String,
    },
    /// A hub has a `negotiate`, but there is no key to seal claims with.
    #[error(
        "the hub `{hub}` has a `negotiate`, but the endpoint {endpoint} has no access key to seal claims with: set {setting}__claimsKey to a secret of at least 32 bytes"
    )]
    NoClaimsKey {
        /// The name of the hub.
        hub: String,
        /// The name of the endpoint.
        endpoint: String,
        /// The connection setting.
        setting: String,
    },
    /// Upstream calls of an endpoint cannot be verified.
    #[error(
        "the endpoint {endpoint} has no access key, so upstream calls cannot be verified: set {setting}__upstreamAudience and upstreamTenantId to the audience and the tenant of the token that the service sends and upstreamClientId to the identity of the service, or set HUB_UPSTREAM_CODE to a secret in the upstream URL of the service (?code=…)"
    )]
    UnverifiedUpstream {
        /// The name of the endpoint.
        endpoint: String,
        /// The connection setting.
        setting: String,
    },
}
