//! Reads the settings of one connection: `AzureSignalRConnectionString` and all settings below it.

use http::Uri;
use hub_core::{
    Secret,
    client_access::EMULATOR_KEY,
    names, secret_rule,
    setting_names::{BELOW_ENDPOINT, is_service_link},
};
use hub_net::host::{AllowedHosts, is_loopback};

use super::{
    ConnectionStringError, InspectorPlan, LocalPlan, Plan, SettingProblem,
    connection_string::ConnectionString,
    endpoint::{EndpointPlan, EndpointRole, Reader},
    env, unknown,
    upstream::UpstreamTokens,
};

/// The minimum length of a claims key, in bytes.
pub(crate) const MIN_CLAIMS_KEY: usize = 32;

/// The endpoints of a group of hubs, their keys, and the prefix of the hub names.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// The name of the setting.
    pub(crate) name: String,
    pub(crate) plan: Plan,
    pub(crate) claims_key: Option<Secret>,
    pub(crate) previous_access_key: Option<Secret>,
    /// The prefix of hub names on the wire.
    pub(crate) application: Option<String>,
    /// The tokens that the service sends with upstream calls.
    pub(crate) upstream_tokens: Option<UpstreamTokens>,
    /// Valid settings without effect, which the log shows at start.
    pub(crate) unused: Vec<SettingProblem>,
}

impl Connection {
    pub(crate) fn planned(plan: Plan) -> Self {
        Self {
            name: env::CONNECTION_STRING.to_owned(),
            plan,
            claims_key: None,
            previous_access_key: None,
            application: None,
            upstream_tokens: None,
            unused: Vec::new(),
        }
    }

    /// Reads the settings of `name`. If the settings contain no endpoint, `otherwise` returns the plan.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        name: &str,
        otherwise: impl FnOnce() -> Plan,
    ) -> Self {
        let mut endpoints = Vec::new();
        let direct = reader.get(name);
        if let Some((written, text)) = direct
            .or_else(|| reader.get(&format!("ConnectionStrings:{name}")))
            .or_else(|| reader.get(&format!("CUSTOMCONNSTR_{name}")))
        {
            endpoints.extend(string(reader, written, text, name, EndpointRole::Primary));
            reader.unused_identity(name, written);
        } else {
            endpoints.extend(reader.identity_endpoint(name, name, EndpointRole::Primary));
            reader.identity_without_service(name);
        }
        let more = match name {
            env::CONNECTION_STRING => env::ENDPOINTS.to_owned(),
            name => format!("{name}:Endpoints"),
        };
        let found = reader.problems.len();
        let named = named_endpoints(reader, &more);
        endpoints.extend(named);
        let asked = reader.problems.len() > found || direct.is_some() || !endpoints.is_empty();
        let plan = match endpoints {
            none if none.is_empty() && !asked => otherwise(),
            endpoints => Plan::Service(endpoints),
        };
        let unknown = unknown::below(reader.settings, name);
        reader.problems.extend(unknown);
        let application = reader.parsed(&format!("{name}:applicationName"), |text| {
            let problem = |error| format!("is not a valid prefix of hub names: {error}");
            names::check_hub(text).map(|()| text.to_ascii_lowercase()).map_err(problem)
        });
        Self {
            name: name.to_owned(),
            plan,
            claims_key: reader.parsed(&format!("{name}:claimsKey"), |key| {
                let problem = "is too short: a claims key has at least 32 bytes";
                if key.len() < MIN_CLAIMS_KEY { Err(problem) } else { Ok(Secret::from(key)) }
            }),
            upstream_tokens: UpstreamTokens::read(reader, name),
            previous_access_key: reader.secret(&format!("{name}:previousAccessKey")),
            application,
            unused: std::mem::take(&mut reader.unused),
        }
    }
}

/// The endpoint of a connection string. A malformed string is added to the problems.
fn string(
    reader: &mut Reader<'_>,
    written: &str,
    text: &str,
    name: &str,
    role: EndpointRole,
) -> Option<EndpointPlan> {
    match endpoint_of(written, text, name, role) {
        Ok(endpoint) => Some(endpoint),
        Err(problem) => {
            reader.problems.push(problem);
            None
        }
    }
}

/// The endpoint of a connection string. `written` is the name of its setting, for errors.
pub(crate) fn endpoint_of(
    written: &str,
    text: &str,
    name: &str,
    role: EndpointRole,
) -> Result<EndpointPlan, SettingProblem> {
    let setting = written.to_owned();
    let parsed = ConnectionString::parse(text).map_err(|problem: ConnectionStringError| {
        SettingProblem::ConnectionString { setting: setting.clone(), problem }
    })?;
    let endpoint = EndpointPlan::of_string(name, role, parsed);
    let well_known = endpoint.access_key().is_some_and(|key| key.expose() == EMULATOR_KEY);
    if well_known && !endpoint.addresses().all(|uri| uri.host().is_some_and(is_loopback)) {
        return Err(SettingProblem::WellKnownKey { setting });
    }
    Ok(endpoint)
}

/// The endpoints below `prefix`. The values of `west`, `west:primary` and `west:secondary` are connection
/// strings; `west:serviceUri` and its sibling settings describe an endpoint with an identity.
fn named_endpoints(reader: &mut Reader<'_>, prefix: &str) -> Vec<EndpointPlan> {
    let mut endpoints = Vec::new();
    for below in reader.settings.below(prefix) {
        let setting = format!("{prefix}:{below}");
        let (name, kind) = below.split_once(':').unwrap_or((&below, ""));
        let role = match kind.to_ascii_lowercase().as_str() {
            "" | "primary" => EndpointRole::Primary,
            "secondary" => EndpointRole::Secondary,
            "serviceuri" => {
                let base = format!("{prefix}:{name}");
                let role = reader.parsed(&format!("{base}:type"), role).unwrap_or_default();
                endpoints.extend(reader.identity_endpoint(&base, name, role));
                continue;
            }
            other => {
                let known = BELOW_ENDPOINT.iter().any(|key| key.eq_ignore_ascii_case(other));
                let service = format!("{prefix}:{name}:serviceUri");
                if let Some((written, _)) = reader.get(&setting)
                    && (!known || reader.settings.get(&service).is_none())
                {
                    let problem = format!(
                        "is not an endpoint setting: its name must end with primary or secondary (the value is a connection string) or, for an endpoint with a serviceUri, with one of {}",
                        BELOW_ENDPOINT.join(", ")
                    );
                    reader.problems.push(SettingProblem::invalid(written, problem));
                }
                continue;
            }
        };
        if let Some((written, text)) = reader.get(&setting) {
            endpoints.extend(string(reader, written, text, name, role));
        }
    }
    endpoints
}

fn role(text: &str) -> Result<EndpointRole, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "primary" => Ok(EndpointRole::Primary),
        "secondary" => Ok(EndpointRole::Secondary),
        _ => Err("is not a role: use Primary or Secondary"),
    }
}

/// The embedded service, from `HUB_LOCAL_PORT`, `HUB_LOCAL_KEY`, `HUB_LOCAL_URL`, `HUB_LOCAL_HOSTS` and
/// `HUB_LOCAL_INSPECTOR…`.
pub(crate) fn local(reader: &mut Reader<'_>) -> LocalPlan {
    let plan = plan(reader);
    let is_beyond = plan.url.as_ref().and_then(Uri::host).is_some_and(|it| !is_loopback(it));
    if is_beyond && plan.inspector.is_on == Some(true) && plan.inspector.token.is_none() {
        let problem = "needs HUB_LOCAL_INSPECTOR_TOKEN, because HUB_LOCAL_URL is not on loopback";
        reader.problems.push(SettingProblem::invalid(env::LOCAL_INSPECTOR, problem));
    }
    plan
}

fn plan(reader: &mut Reader<'_>) -> LocalPlan {
    LocalPlan {
        port: reader
            .parsed(env::LOCAL_PORT, |text| match is_service_link(text) {
                true => Ok(None),
                false => text.parse().map(Some).map_err(|_| super::NOT_A_PORT),
            })
            .flatten(),
        key: reader.secret(env::LOCAL_KEY),
        url: reader.parsed(env::LOCAL_URL, |text| {
            let url = super::values::base_uri(text).filter(|url| url.path() == "/");
            url.ok_or("is not the URL of a host: it must be like http://host:port, without a path")
        }),
        hosts: reader.parsed(env::LOCAL_HOSTS, hosts).unwrap_or_default(),
        inspector: Box::new(InspectorPlan {
            is_on: reader.parsed(env::LOCAL_INSPECTOR, switch),
            token: reader.parsed(env::LOCAL_INSPECTOR_TOKEN, |token| {
                secret_rule::token_problem(token).map_or_else(|| Ok(Secret::from(token)), Err)
            }),
            hides_payloads: reader.parsed(env::LOCAL_INSPECTOR_PAYLOADS, switch) == Some(false),
            masks: reader.parsed(env::LOCAL_INSPECTOR_MASK, names).unwrap_or_default(),
        }),
        ..LocalPlan::default()
    }
}

fn switch(text: &str) -> Result<bool, &'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("is neither on nor off"),
    }
}

/// A comma-separated list of names.
#[allow(clippy::unnecessary_wraps, reason = "the type of all readers of settings")]
fn names(text: &str) -> Result<Vec<String>, &'static str> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}

/// A comma-separated list of hosts.
fn hosts(text: &str) -> Result<Vec<String>, String> {
    let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
    hosts
        .map(|host| match AllowedHosts::problem(host) {
            None => Ok(host.to_owned()),
            Some(problem) => Err(format!("is not a list of hosts: {problem}")),
        })
        .collect()
}
