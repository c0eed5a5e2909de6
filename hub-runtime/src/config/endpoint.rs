//! One endpoint of the service in the settings, and the credential of the app.

use std::{fmt, sync::Arc};

use http::Uri;
use hub_core::{
    Secret,
    setting_names::{BELOW_ENDPOINT, is_same},
};

use super::{SettingProblem, connection_string::ConnectionString, settings::Settings, values};
use crate::auth::TokenSource;

/// The URLs of a service and the credential of the app.
#[derive(Clone, Debug)]
pub(crate) struct EndpointPlan {
    /// The name for `with_endpoints`, routers and logs.
    pub(crate) name: String,
    pub(crate) role: EndpointRole,
    /// The URL of the service, with the effective port.
    pub(crate) endpoint: Uri,
    /// The URL for clients, if it differs from `endpoint`.
    pub(crate) client_endpoint: Option<Uri>,
    /// The URL of the REST API, if it differs from `endpoint`.
    pub(crate) server_endpoint: Option<Uri>,
    pub(crate) credential: Credential,
}

/// Whether an endpoint receives new clients. Defaults to [`Primary`](Self::Primary).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointRole {
    /// Receives new clients.
    #[default]
    Primary,
    /// Receives new clients only while no primary endpoint is online. Messages are always sent to secondary
    /// endpoints too.
    Secondary,
}

/// The credential of the app at the service.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    Key(Secret),
    /// Microsoft Entra.
    Identity(Identity),
}

/// The identity of the app in Microsoft Entra.
#[cfg_attr(
    not(feature = "identity"),
    allow(dead_code, reason = "without the feature, build() returns an error that names it")
)]
#[derive(Clone)]
pub(crate) enum Identity {
    /// The first credential of a chain that gives a token, optionally with a user-assigned managed identity.
    Chain { client_id: Option<String> },
    /// The managed identity of the host: the system-assigned identity, or the selected user-assigned identity.
    Managed(Option<UserAssigned>),
    /// A workload identity: the platform, for example Kubernetes, writes a token to a file.
    Workload { tenant_id: Option<String>, client_id: Option<String> },
    /// An app registration.
    App { tenant_id: String, client_id: String, client_secret: Secret },
    /// A token source of the application.
    Source(Arc<dyn TokenSource>),
}

/// Selects a user-assigned managed identity.
#[cfg_attr(
    not(feature = "identity"),
    allow(dead_code, reason = "without the feature, build() returns an error that names it")
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserAssigned {
    ClientId(String),
    ResourceId(String),
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain { .. } => "Chain",
            Self::Managed(None) => "Managed",
            Self::Managed(Some(_)) => "UserAssigned",
            Self::Workload { .. } => "Workload",
            Self::App { .. } => "App",
            Self::Source(_) => "Source",
        })
    }
}

impl EndpointPlan {
    pub(crate) fn of_string(name: &str, role: EndpointRole, parsed: ConnectionString) -> Self {
        let ConnectionString { endpoint, credential, client_endpoint, server_endpoint } = parsed;
        let name = name.to_owned();
        Self { name, role, endpoint, client_endpoint, server_endpoint, credential }
    }

    /// All URLs of the endpoint.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Uri> {
        [Some(&self.endpoint), self.client_endpoint.as_ref(), self.server_endpoint.as_ref()]
            .into_iter()
            .flatten()
    }

    pub(crate) fn access_key(&self) -> Option<&Secret> {
        match &self.credential {
            Credential::Key(key) => Some(key),
            Credential::Identity(_) => None,
        }
    }
}

/// Reads settings and collects their problems.
pub(crate) struct Reader<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) problems: Vec<SettingProblem>,
    /// Valid settings without effect.
    pub(crate) unused: Vec<SettingProblem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(settings: &'a Settings) -> Self {
        Self { settings, problems: Vec::new(), unused: Vec::new() }
    }

    /// The name as it is spelled, and the value.
    pub(crate) fn get(&mut self, name: &str) -> Option<(&'a str, &'a str)> {
        self.problems.extend(self.settings.ambiguous(name));
        self.settings.get(name).map(|(name, value)| (name, value.trim()))
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.get(name).map(|(_, value)| value.to_owned())
    }

    pub(crate) fn secret(&mut self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::from)
    }

    /// The parsed value. An error of `parse` becomes a problem of the setting.
    pub(crate) fn parsed<T, P: Into<String>>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, P>,
    ) -> Option<T> {
        let (written, value) = self.get(name)?;
        match parse(value) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(SettingProblem::invalid(written, problem));
                None
            }
        }
    }

    pub(crate) fn uri(&mut self, name: &str) -> Option<Uri> {
        let problem = "is not a URL: it must be like https://name.service.signalr.net";
        self.parsed(name, |text| values::base_uri(text).ok_or(problem))
    }

    /// The endpoint of `<prefix>:serviceUri` and its sibling settings, if `serviceUri` is set.
    pub(crate) fn identity_endpoint(
        &mut self,
        prefix: &str,
        name: &str,
        role: EndpointRole,
    ) -> Option<EndpointPlan> {
        self.settings.get(&format!("{prefix}:serviceUri"))?;
        let endpoint = self.uri(&format!("{prefix}:serviceUri"));
        let client_endpoint = self.uri(&format!("{prefix}:clientEndpoint"));
        let server_endpoint = self.uri(&format!("{prefix}:serverEndpoint"));
        let credential = Credential::Identity(self.identity(prefix)?);
        let name = name.to_owned();
        Some(EndpointPlan {
            name,
            role,
            endpoint: endpoint?,
            client_endpoint,
            server_endpoint,
            credential,
        })
    }

    /// The settings of an identity below `prefix`, as spelled.
    fn identity_settings(&self, prefix: &str) -> Vec<&'a str> {
        // `tenantId` is also the default of `upstreamTenantId`.
        let has_audience = self.settings.get(&format!("{prefix}:upstreamAudience")).is_some();
        let keys = BELOW_ENDPOINT.into_iter().filter(|key| *key != "type");
        let keys = keys.filter(|key| *key != "tenantId" || !has_audience);
        let settings = self.settings;
        keys.filter_map(|key| settings.get(&format!("{prefix}:{key}")).map(|(name, _)| name))
            .collect()
    }

    /// Reports the settings of an identity below `prefix`, if there is no `serviceUri`.
    pub(crate) fn identity_without_service(&mut self, prefix: &str) {
        if self.settings.get(&format!("{prefix}:serviceUri")).is_some() {
            return;
        }
        for written in self.identity_settings(prefix) {
            let problem =
                format!("has no effect without {prefix}__serviceUri, the URL of the service");
            self.problems.push(SettingProblem::invalid(written, problem));
        }
    }

    /// Checks the settings of an identity beside the connection string in the setting `string`, which takes
    /// precedence.
    pub(crate) fn unused_identity(&mut self, prefix: &str, string: &str) {
        let uri = self.settings.get(&format!("{prefix}:serviceUri")).map(|(name, _)| name);
        if uri.is_some() {
            self.identity_endpoint(prefix, prefix, EndpointRole::Primary);
        } else {
            self.identity(prefix);
        }
        let unused = uri.into_iter().chain(self.identity_settings(prefix));
        let problem =
            format!("is not used, because the connection string {string} takes precedence");
        let unused = unused.map(|written| SettingProblem::invalid(written, problem.as_str()));
        self.unused.extend(unused.collect::<Vec<_>>());
    }

    /// Reports the settings of `keys` below `prefix`, which contradict the setting in `beside`.
    fn contradicting(&mut self, prefix: &str, keys: &[&str], beside: &str) -> bool {
        let found = self.identity_settings(prefix);
        let contradicts =
            |written: &&str| keys.iter().any(|key| is_same(written, &format!("{prefix}:{key}")));
        let before = self.problems.len();
        for written in found.into_iter().filter(contradicts) {
            let problem = format!("does not fit {beside}: remove one of them");
            self.problems.push(SettingProblem::invalid(written, problem));
        }
        self.problems.len() > before
    }

    /// `credential`, `clientId`, `managedIdentityResourceId`, `tenantId` and `clientSecret`.
    fn identity(&mut self, prefix: &str) -> Option<Identity> {
        let kind = self.parsed(&format!("{prefix}:credential"), |text| {
            match text.to_ascii_lowercase().as_str() {
                "managedidentity" => Ok(Kind::Managed),
                "workloadidentity" => Ok(Kind::Workload),
                _ => Err("is not a credential: use managedidentity or workloadidentity, or remove the setting to use an app registration (tenantId, clientId and clientSecret) or the default chain"),
            }
        });
        if kind.is_none() && self.settings.get(&format!("{prefix}:credential")).is_some() {
            return None;
        }
        let client_id = self.text(&format!("{prefix}:clientId"));
        let resource_id = self.text(&format!("{prefix}:managedIdentityResourceId"));
        let tenant_id = self.text(&format!("{prefix}:tenantId"));
        let client_secret = self.secret(&format!("{prefix}:clientSecret"));
        // With `upstreamAudience`, a tenant without a secret is the tenant of the upstream tokens only.
        let has_audience = self.settings.get(&format!("{prefix}:upstreamAudience")).is_some();
        let has_secret = client_secret.is_some();
        let tenant_of_app = |id: Option<String>| id.filter(|_| has_secret || !has_audience);
        let (keys, beside): (&[&str], _) = match kind {
            Some(Kind::Managed) => (&["tenantId", "clientSecret"], "credential=managedidentity"),
            Some(Kind::Workload) => {
                (&["managedIdentityResourceId", "clientSecret"], "credential=workloadidentity")
            }
            None if resource_id.is_some() => {
                (&["tenantId", "clientSecret"], "managedIdentityResourceId")
            }
            None => (&[], ""),
        };
        if self.contradicting(prefix, keys, &format!("{prefix}:{beside}").replace(':', "__")) {
            return None;
        }
        match kind {
            Some(Kind::Managed) => self.managed(prefix, client_id, resource_id),
            Some(Kind::Workload) => Some(Identity::Workload { tenant_id, client_id }),
            None if resource_id.is_some() => self.managed(prefix, client_id, resource_id),
            None => match (tenant_of_app(tenant_id), client_id, client_secret) {
                (Some(tenant_id), Some(client_id), Some(client_secret)) => {
                    Some(Identity::App { tenant_id, client_id, client_secret })
                }
                (None, client_id, None) => Some(Identity::Chain { client_id }),
                (tenant_id, client_id, secret) => {
                    let parts = [
                        ("tenantId", tenant_id.is_none()),
                        ("clientId", client_id.is_none()),
                        ("clientSecret", secret.is_none()),
                    ];
                    let missing = parts.iter().filter(|(_, missing)| *missing).map(|(key, _)| *key);
                    for key in missing.collect::<Vec<_>>() {
                        let setting = format!("{prefix}:{key}").replace(':', "__");
                        let problem = "is missing: an app registration needs tenantId, clientId and clientSecret";
                        self.problems.push(SettingProblem::invalid(setting, problem));
                    }
                    None
                }
            },
        }
    }

    fn managed(
        &mut self,
        prefix: &str,
        client_id: Option<String>,
        resource_id: Option<String>,
    ) -> Option<Identity> {
        if client_id.is_some() && resource_id.is_some() {
            let setting = format!("{prefix}:managedIdentityResourceId").replace(':', "__");
            let problem =
                "is set together with clientId: set one of them to select a user-assigned identity";
            self.problems.push(SettingProblem::invalid(setting, problem));
            return None;
        }
        let by_resource = resource_id.map(UserAssigned::ResourceId);
        Some(Identity::Managed(client_id.map(UserAssigned::ClientId).or(by_resource)))
    }
}

enum Kind {
    Managed,
    Workload,
}
