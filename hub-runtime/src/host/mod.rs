//! Detects the host of the app from the environment, and serves the app on it.

pub(crate) mod command_line;
#[cfg(feature = "lambda")]
mod lambda;
mod request_body;
mod serve;

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http::{Request, Response};
use http_body::Body;
use hub_net::BoxError;
use tower_service::Service;

use self::command_line::AppRoutes;
pub use self::request_body::RequestBody;
use crate::{
    HubApp, ServeError,
    call_connections::Connections,
    config::{
        self, ConfigError,
        env::{self, Variables},
    },
    service::HubService,
};

/// The default of `PORT`: the port of the Functions Core Tools.
pub(crate) const DEFAULT_PORT: u16 = 7071;

/// The host of the app.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// AWS Lambda: the app polls for events.
    Lambda,
    /// Azure Functions: the app is its custom handler, on this port.
    Functions(u16),
    /// HTTP, at this address.
    Http(SocketAddr),
}

impl Host {
    /// Whether a host starts the program, with arguments of its own.
    fn starts_programs(variables: &impl Variables) -> bool {
        let variable = [env::LAMBDA_RUNTIME_API, env::FUNCTIONS_PORT, env::OLD_FUNCTIONS_PORT];
        variable.into_iter().any(|name| variables.set(name).is_some())
    }

    /// Detects the host from environment variables.
    pub(crate) fn of(variables: &impl Variables) -> Result<Self, ConfigError> {
        if variables.set(env::LAMBDA_RUNTIME_API).is_some() {
            return Ok(Self::Lambda);
        }
        if let Some(port) = config::functions_port(variables)? {
            return Ok(Self::Functions(port));
        }
        let port = config::port(variables, env::PORT)?.unwrap_or(DEFAULT_PORT);
        let address = match env::cloud_host(variables) {
            Some(_) => Ipv4Addr::UNSPECIFIED,
            None => Ipv4Addr::LOCALHOST,
        };
        Ok(Self::Http(SocketAddr::from((address, port))))
    }
}

/// The services that hosts serve: the bounds of [`HubApp::run_with`].
pub(crate) trait HostedService:
    Service<
        Request<RequestBody>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
    type Body: Body<Data: Send, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> HostedService for S
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;
}

impl HubApp {
    /// Detects the host from the environment, and serves the app on it:
    ///
    /// | Variable | The app |
    /// |---|---|
    /// | `AWS_LAMBDA_RUNTIME_API` | polls AWS Lambda for events (feature `lambda`) |
    /// | `FUNCTIONS_CUSTOMHANDLER_PORT` | serves Azure Functions as a custom handler, on loopback and this port (feature `functions`) |
    /// | neither | serves HTTP on `PORT` (defaults to 7071): on loopback, or on all addresses if variables of a cloud host are set |
    ///
    /// Stops as [`Self::serve`] does.
    ///
    /// With neither variable, this method reads the arguments of the process: `--help`, `--version`, and with
    /// the feature `deploy` the command `deploy-files`. It does not serve after one of these. Other arguments end the
    /// process with status 2. An app with arguments of its own calls
    /// [`HubAppBuilder::ignore_arguments`](crate::HubAppBuilder::ignore_arguments). [`Self::serve`] and
    /// [`Self::service`] never read arguments, so use these in tests, where the arguments are those of the test
    /// program. The arguments are read after the app is built: with wrong settings, `--help` shows their error.
    ///
    /// # Errors
    /// When a port is malformed or in use, or the host needs a disabled feature.
    pub async fn run(&self) -> Result<(), ServeError> {
        let connections = Connections::default();
        // Other hosts pass requests on, and do not pass on the offer.
        let service = match Host::of(&env::process) {
            Ok(Host::Http(_)) => HubService::offering(Arc::clone(&self.inner), connections.clone()),
            _ => self.service(),
        };
        self.run_on_host(service, AppRoutes::Hubs, connections).await
    }

    /// Like [`Self::run`], for an app with its own routes: `service` is any tower service, for example an
    /// `axum::Router` with [`Self::service`] as its `fallback_service`.
    ///
    /// # Errors
    /// Like [`Self::run`].
    pub async fn run_with<S, B>(&self, service: S) -> Result<(), ServeError>
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.run_on_host(service, AppRoutes::Own, Connections::default()).await
    }

    async fn run_on_host(
        &self,
        service: impl HostedService,
        routes: AppRoutes,
        connections: Connections,
    ) -> Result<(), ServeError> {
        // The arguments of a program that another host starts are those of the host.
        let is_started = Host::starts_programs(&env::process) || self.inner.ignores_arguments;
        if !is_started && !command_line::handle(self, routes)? {
            return Ok(());
        }
        match Host::of(&env::process).map_err(|error| failed(error.to_string()))? {
            #[cfg(feature = "lambda")]
            Host::Lambda => lambda::serve(self, service).await,
            #[cfg(not(feature = "lambda"))]
            Host::Lambda => Err(failed(
                "AWS_LAMBDA_RUNTIME_API is set, but AWS Lambda needs the feature `lambda` of hub-runtime; behind the Lambda Web Adapter call serve() instead of run()",
            )),
            #[cfg(feature = "functions")]
            Host::Functions(port) => {
                self.serve_at(self.functions_address(port), FUNCTIONS_PORT, service, connections)
                    .await
            }
            #[cfg(not(feature = "functions"))]
            Host::Functions(_) => Err(failed(
                "FUNCTIONS_CUSTOMHANDLER_PORT is set, but Azure Functions needs the feature `functions` of hub-runtime",
            )),
            Host::Http(address) => {
                self.serve_at(address, "set PORT to another port", service, connections).await
            }
        }
    }
}

/// Advice if the port that the Functions host assigned is in use.
#[cfg(feature = "functions")]
pub(crate) const FUNCTIONS_PORT: &str = "the Functions host assigned it, start the host again";

pub(crate) fn failed(text: impl Into<String>) -> ServeError {
    ServeError::new(io::ErrorKind::Other, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(pairs: &[(&str, &str)]) -> Result<Host, ConfigError> {
        Host::of(&|name: &str| {
            pairs.iter().find(|(held, _)| *held == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn http(address: &str) -> Host {
        Host::Http(address.parse().unwrap())
    }

    #[test]
    fn without_host_variables_the_app_listens_on_loopback() {
        assert_eq!(host(&[]).unwrap(), http("127.0.0.1:7071"));
        assert_eq!(host(&[("PORT", "80")]).unwrap(), http("127.0.0.1:80"));
    }

    #[test]
    fn on_a_cloud_host_the_app_listens_on_all_addresses() {
        let container = [("CONTAINER_APP_NAME", "chat"), ("PORT", "8080")];

        assert_eq!(host(&container).unwrap(), http("0.0.0.0:8080"));
    }

    #[test]
    fn the_functions_host_sets_the_port_on_loopback() {
        let azure = [("FUNCTIONS_CUSTOMHANDLER_PORT", "5001"), ("WEBSITE_INSTANCE_ID", "x")];
        let older = [("FUNCTIONS_HTTPWORKER_PORT", "5002"), ("PORT", "80")];

        assert_eq!(host(&azure).unwrap(), Host::Functions(5001));
        assert_eq!(host(&older).unwrap(), Host::Functions(5002));
        let error = host(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "many")]).unwrap_err();
        assert!(error.to_string().starts_with("FUNCTIONS_CUSTOMHANDLER_PORT is not a port"));
    }

    #[test]
    fn lambda_is_detected_first() {
        let lambda = [("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"), ("PORT", "80")];

        assert_eq!(host(&lambda).unwrap(), Host::Lambda);
    }
}
