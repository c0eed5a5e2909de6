//! [`SignalR`]: which service the app uses.

use std::{sync::Arc, time::Duration};

use http::Uri;
use hub_core::{Secret, names, secret_rule::Reach};
use hub_net::host::is_loopback;

use super::{
    ConfigError, EndpointRole, SettingProblem, Settings, TokenSource,
    connection::{self, Connection, endpoint_of},
    endpoint::{Credential, EndpointPlan, Identity, Reader},
    env,
    rest::RestSettings,
    unknown,
    unread::{self, Unread},
    upstream::UpstreamTokens,
    values,
};

/// The SignalR service of the app: the configured services, or the embedded service.
///
/// This value only describes the service: no connection is opened before `HubApp::builder().build()`.
#[derive(Clone, Debug)]
pub struct SignalR {
    /// The connection of every hub that selects no other connection.
    pub(crate) connection: Connection,
    /// The settings of further connections, for hubs that select such a connection.
    settings: Option<Arc<Settings>>,
    /// The result for a connection without settings.
    otherwise: Otherwise,
    pub(crate) rest: RestSettings,
    /// Origins of `Host.CORS` in `local.settings.json`.
    pub(crate) origins: Vec<String>,
    pub(crate) trust_plain_claims: bool,
    pub(crate) accept_unsealed: bool,
    /// The code of upstream calls. The builder can set another code.
    pub(crate) upstream_code: Option<Secret>,
    /// The setting `HUB_DETAILED_ERRORS`.
    pub(crate) detailed_errors: Option<bool>,
}

#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// Endpoints of external services; at least one.
    Service(Vec<EndpointPlan>),
    /// The embedded service.
    Local(LocalPlan),
    /// No endpoint: an error only if a hub uses the connection.
    Missing(SettingProblem),
}

impl Plan {
    /// From where callers can try to guess the keys: a service beyond loopback calls the app from there.
    pub(crate) fn reach(&self) -> Reach {
        let is_on_loopback = |uri: &Uri| uri.host().is_some_and(is_loopback);
        let on_loopback = match self {
            Self::Service(endpoints) => {
                endpoints.iter().flat_map(EndpointPlan::addresses).all(is_on_loopback)
            }
            Self::Local(plan) => plan.url.as_ref().is_none_or(is_on_loopback),
            Self::Missing(_) => true,
        };
        if on_loopback { Reach::Loopback } else { Reach::Beyond }
    }
}

#[derive(Clone, Debug)]
enum Otherwise {
    Missing,
    CloudHost(&'static str),
    Local(Box<LocalPlan>),
}

impl Otherwise {
    fn plan(&self, setting: &str) -> Plan {
        let setting = setting.to_owned();
        match self {
            Self::Missing => Plan::Missing(SettingProblem::Missing { setting }),
            Self::CloudHost(host) => Plan::Missing(SettingProblem::CloudHost { setting, host }),
            Self::Local(plan) => Plan::Local((**plan).clone()),
        }
    }
}

/// Settings of the inspector of the embedded service, in the environment or in code.
#[cfg_attr(
    not(feature = "local"),
    allow(dead_code, reason = "without the feature, build() returns an error that names it")
)]
#[derive(Clone, Debug, Default)]
pub(crate) struct InspectorPlan {
    /// `None`: on, if the service has no public URL.
    pub(crate) is_on: Option<bool>,
    pub(crate) token: Option<Secret>,
    pub(crate) hides_payloads: bool,
    pub(crate) masks: Vec<String>,
}

/// Settings of the embedded service.
#[cfg_attr(
    not(feature = "local"),
    allow(dead_code, reason = "without the feature, build() returns an error that names it")
)]
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalPlan {
    /// The requested port. Defaults to 8888, or to a free port if 8888 is taken.
    pub(crate) port: Option<u16>,
    pub(crate) key: Option<Secret>,
    pub(crate) url: Option<Uri>,
    /// More hosts that the app and the service answer.
    pub(crate) hosts: Vec<String>,
    /// The origins of pages that may negotiate with the app.
    pub(crate) origins: Vec<String>,
    /// The maximum age of connections.
    pub(crate) max_connection_lifetime: Option<Duration>,
    /// The settings of the inspector. Boxed: they would enlarge every plan.
    pub(crate) inspector: Box<InspectorPlan>,
    /// Whether the service has no listener and accepts only clients in the same process.
    pub(crate) in_memory: bool,
}

impl SignalR {
    /// The services that the environment configures (`AzureSignalRConnectionString`), see [`Settings`]. If the
    /// environment configures no service, `build()` fails.
    ///
    /// # Errors
    /// When a setting is invalid. The error lists all problems.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_settings(Settings::from_env()?)
    }

    /// The services that the environment configures, see [`Settings`], or otherwise the embedded service. On
    /// a cloud host, where clients cannot reach an embedded service, `build()` fails instead.
    ///
    /// # Errors
    /// When a setting is invalid. The error lists all problems.
    pub fn from_env_or_local() -> Result<Self, ConfigError> {
        Self::from_settings_or_local(Settings::from_env()?)
    }

    /// Like [`Self::from_env`], with these settings instead of the environment.
    ///
    /// # Errors
    /// Like [`Self::from_env`].
    pub fn from_settings(settings: Settings) -> Result<Self, ConfigError> {
        Self::read(settings, |_| Otherwise::Missing)
    }

    /// Like [`Self::from_env_or_local`], with these settings instead of the environment.
    ///
    /// # Errors
    /// Like [`Self::from_env_or_local`].
    pub fn from_settings_or_local(settings: Settings) -> Result<Self, ConfigError> {
        Self::read(settings, |reader| {
            match env::cloud_host(&|name: &str| reader.settings.in_environment(name)) {
                Some(host) => Otherwise::CloudHost(host),
                None => Otherwise::Local(Box::new(connection::local(reader))),
            }
        })
    }

    fn read(
        settings: Settings,
        otherwise: impl FnOnce(&mut Reader<'_>) -> Otherwise,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&settings);
        let otherwise = otherwise(&mut reader);
        let name = env::CONNECTION_STRING;
        let connection = Connection::read(&mut reader, name, || otherwise.plan(name));
        let rest = RestSettings::read(&mut reader);
        let upstream_code = reader.secret(env::UPSTREAM_CODE);
        let detailed_errors = reader.parsed(env::DETAILED_ERRORS, |text| {
            text.trim()
                .to_ascii_lowercase()
                .parse::<bool>()
                .map_err(|_| "is neither true nor false")
        });
        let unknown = unknown::own(reader.settings);
        reader.problems.extend(unknown);
        let problems = reader.problems;
        let origins = settings.origins.clone();
        let settings = Some(Arc::new(settings));
        ConfigError::unless(
            problems,
            Self {
                connection,
                settings,
                otherwise,
                rest,
                origins,
                trust_plain_claims: false,
                accept_unsealed: false,
                upstream_code,
                detailed_errors,
            },
        )
    }

    /// The connection with this name. Without settings, all hubs share one connection.
    pub(crate) fn connection(&self, name: &str) -> Result<Connection, ConfigError> {
        let Some(settings) = &self.settings else { return Ok(self.connection.clone()) };
        if name == self.connection.name {
            return Ok(self.connection.clone());
        }
        let mut reader = Reader::new(settings);
        let connection = Connection::read(&mut reader, name, || self.otherwise.plan(name));
        ConfigError::unless(reader.problems, connection)
    }

    /// The settings that nothing reads, although they look like settings of the app. `connections` are the
    /// names of the connections of all hubs.
    pub(crate) fn unread(&self, connections: &[&str]) -> Vec<Unread> {
        let settings = self.settings.as_ref();
        settings.map(|settings| unread::find(settings, connections)).unwrap_or_default()
    }

    /// The service of a connection string such as
    /// `Endpoint=https://name.service.signalr.net;AccessKey=…;Version=1.0;`. All hubs use this service,
    /// including hubs that name a connection of their own.
    ///
    /// # Errors
    /// When the text is malformed, or holds the emulator's well-known key for an address beyond loopback.
    pub fn from_connection_string(text: &str) -> Result<Self, ConfigError> {
        let name = env::CONNECTION_STRING;
        let endpoint = endpoint_of("the connection string", text, name, EndpointRole::Primary)?;
        Ok(Self::planned(Plan::Service(vec![endpoint])))
    }

    /// The service at a URL such as `https://name.service.signalr.net`, to which the app authenticates with
    /// Microsoft Entra tokens from `source`.
    ///
    /// # Errors
    /// When `url` is not an absolute `http` or `https` URL.
    pub fn from_endpoint(url: &str, source: impl TokenSource) -> Result<Self, ConfigError> {
        let problem = "is not a URL: it must be like https://name.service.signalr.net";
        let endpoint = values::base_uri(url)
            .ok_or_else(|| SettingProblem::invalid("the endpoint", problem))?;
        let endpoint = EndpointPlan {
            name: env::CONNECTION_STRING.to_owned(),
            role: EndpointRole::Primary,
            endpoint,
            client_endpoint: None,
            server_endpoint: None,
            credential: Credential::Identity(Identity::Source(Arc::new(source))),
        };
        Ok(Self::planned(Plan::Service(vec![endpoint])))
    }

    /// Adds an endpoint with its own connection string. `name` identifies the endpoint in
    /// `HubContext::with_endpoints`, in an `EndpointRouter` and in logs.
    ///
    /// # Errors
    /// When the connection string is malformed, or when `self` is the embedded service.
    pub fn with_endpoint(
        mut self,
        name: &str,
        role: EndpointRole,
        connection_string: &str,
    ) -> Result<Self, ConfigError> {
        let written = format!("the connection string of the endpoint {name}");
        let endpoint = endpoint_of(&written, connection_string, name, role)?;
        match &mut self.connection.plan {
            Plan::Service(endpoints) => endpoints.push(endpoint),
            missing @ Plan::Missing(_) => *missing = Plan::Service(vec![endpoint]),
            Plan::Local(_) => {
                let problem =
                    "cannot be added to the embedded service: set a connection string first";
                return Err(SettingProblem::invalid(format!("the endpoint {name}"), problem).into());
            }
        }
        Ok(self)
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

    /// Sets a separate key for sealed claims, of at least 32 bytes. Defaults to the access key.
    #[must_use]
    pub fn claims_key(mut self, key: impl Into<Secret>) -> Self {
        self.connection.claims_key = Some(key.into());
        self
    }

    /// Adds the previous access key after a rotation: signatures and seals of the previous key stay valid.
    #[must_use]
    pub fn previous_access_key(mut self, key: impl Into<Secret>) -> Self {
        self.connection.previous_access_key = Some(key.into());
        self
    }

    /// Sets a prefix of the hub names at the service, so that several apps or developers can share one
    /// instance: with `ada`, the hub `chat` is `ada_chat` at the service. Clients still negotiate at
    /// `/chat/negotiate`. Defaults to no prefix.
    ///
    /// # Errors
    /// When the prefix is not a valid start of a hub name.
    pub fn application_name(mut self, name: &str) -> Result<Self, ConfigError> {
        names::check_hub(name).map_err(|error| {
            let problem = format!("is not a valid prefix of hub names: {error}");
            SettingProblem::invalid("the application name", problem)
        })?;
        self.connection.application = Some(name.to_ascii_lowercase());
        Ok(self)
    }

    /// Accepts upstream calls with a Microsoft Entra token for this audience from this tenant, issued to the
    /// identity of the service. The audience is the resource of the managed identity in the upstream settings
    /// of the service; `client_id` is the application id or the object id (principal id) of that identity. Any
    /// other application or user of the tenant may get a token for the audience, and is refused. A service
    /// without an access key needs this, or a code in the upstream URL.
    ///
    /// # Errors
    /// When the audience or the client id is empty, or the tenant is not a tenant id.
    pub fn upstream_tokens(
        mut self,
        audience: &str,
        tenant_id: &str,
        client_id: &str,
    ) -> Result<Self, ConfigError> {
        let tokens = UpstreamTokens::of_tenant(audience, tenant_id, client_id)?;
        self.connection.upstream_tokens = Some(tokens);
        Ok(self)
    }

    /// Accepts calls without a seal for hubs that have a `negotiate`, that is, for clients whose tokens this
    /// app did not create: those of a back end in C#, of the binding `signalRConnectionInfo`, or of
    /// `:generateToken` of the service. Such a caller has the user id that the service reports, and no claims.
    ///
    /// By default such calls are refused with 401. Every token of this app's `negotiate` has a seal, so a call
    /// without one did not come from a client of this app. Hubs without a `negotiate` accept them always.
    #[must_use]
    pub fn accept_unsealed_tokens(mut self) -> Self {
        self.accept_unsealed = true;
        self
    }

    /// Accepts the plain claims header of the service for calls without a seal, see
    /// [`Self::accept_unsealed_tokens`], which this includes.
    ///
    /// **Use this only if clients cannot choose any of their claim values.** The header has no escapes: a
    /// client with the display name `Bob, role: admin` becomes an administrator.
    #[must_use]
    pub fn trust_plain_claims(mut self) -> Self {
        self.trust_plain_claims = true;
        self
    }

    pub(crate) fn planned(plan: Plan) -> Self {
        Self {
            connection: Connection::planned(plan),
            settings: None,
            otherwise: Otherwise::Missing,
            rest: RestSettings::default(),
            origins: Vec::new(),
            trust_plain_claims: false,
            accept_unsealed: false,
            upstream_code: None,
            detailed_errors: None,
        }
    }
}
