//! Authentication of upstream calls without an access key.

use http::Uri;

use super::{SettingProblem, endpoint::Reader, env, values};
use hub_net::host::is_loopback;

/// The default authority of Microsoft Entra. `AZURE_AUTHORITY_HOST` overrides it.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// The Microsoft Entra tokens that the service sends.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamTokens {
    pub(crate) audiences: Vec<String>,
    pub(crate) issuers: Vec<String>,
    pub(crate) keys_url: Uri,
    /// The application or object ids of the services. Empty: any application.
    pub(crate) client_ids: Vec<String>,
}

impl UpstreamTokens {
    /// Tokens of a tenant for an audience, issued to the identity of the service.
    pub(crate) fn of_tenant(
        audience: &str,
        tenant: &str,
        client: &str,
    ) -> Result<Self, SettingProblem> {
        let problem = |problem| SettingProblem::invalid("the tenant of upstream tokens", problem);
        let tenant = tenant_id(tenant).map_err(problem)?;
        let keys_url = keys_url(AUTHORITY, &tenant).ok_or_else(|| problem(NOT_A_TENANT))?;
        let audience = audience.trim();
        if audience.is_empty() {
            let problem = "is empty: it must be like api://chat";
            return Err(SettingProblem::invalid("the audience of upstream tokens", problem));
        }
        let client_ids = client_ids(client).map_err(|problem| {
            SettingProblem::invalid("the client id of upstream tokens", problem)
        })?;
        let (audiences, issuers) = (vec![audience.to_owned()], issuers(AUTHORITY, &tenant));
        Ok(Self { audiences, issuers, keys_url, client_ids })
    }

    /// `upstreamAudience` and its sibling settings below `name`.
    pub(crate) fn read(reader: &mut Reader<'_>, name: &str) -> Option<Self> {
        let key = |key: &str| format!("{name}:{key}");
        let audiences = reader.parsed(&key("upstreamAudience"), audiences);
        let issuer = reader.text(&key("upstreamIssuer"));
        let keys = reader.parsed(&key("upstreamKeys"), keys_address);
        let client_ids = reader.parsed(&key("upstreamClientId"), client_ids);
        let own_tenant = reader.parsed(&key("upstreamTenantId"), tenant_id);
        let asked =
            issuer.is_some() || keys.is_some() || client_ids.is_some() || own_tenant.is_some();
        let Some(audiences) = audiences else {
            if asked && reader.settings.get(&key("upstreamAudience")).is_none() {
                let setting = format!("{name}__upstreamAudience");
                let problem =
                    "is missing: set the audience of the service's upstream authentication";
                reader.problems.push(SettingProblem::invalid(setting, problem));
            }
            return None;
        };
        let tenant = own_tenant
            .or_else(|| reader.parsed(&key("tenantId"), tenant_id))
            .or_else(|| reader.parsed("AZURE_TENANT_ID", tenant_id));
        let authority = reader.parsed(env::AUTHORITY_HOST, authority);
        let authority = authority.unwrap_or_else(|| AUTHORITY.to_owned());
        let of_tenant =
            tenant.map(|tenant| (issuers(&authority, &tenant), keys_url(&authority, &tenant)));
        let (tenant_issuers, tenant_keys) = of_tenant.unwrap_or_default();
        let issuers = issuer.map_or(tenant_issuers, |issuer| vec![issuer]);
        let keys = keys.or(tenant_keys);
        let Some(keys_url) = keys.filter(|_| !issuers.is_empty()) else {
            let setting = format!("{name}__upstreamTenantId");
            let problem = "is missing: set the tenant of the service's managed identity, or both upstreamIssuer and upstreamKeys";
            reader.problems.push(SettingProblem::invalid(setting, problem));
            return None;
        };
        Some(Self { audiences, issuers, keys_url, client_ids: client_ids.unwrap_or_default() })
    }
}

/// The audiences. An empty list would accept tokens for any audience.
fn audiences(text: &str) -> Result<Vec<String>, &'static str> {
    listed(text).ok_or("has no audience: it must be like api://chat")
}

/// The ids of the services. An empty list would accept tokens of any application.
fn client_ids(text: &str) -> Result<Vec<String>, &'static str> {
    listed(text).ok_or(
        "has no id: it must be the application or object id of the service's identity, like 00000000-0000-0000-0000-000000000000",
    )
}

/// The items of a list with commas; `None` if there are none.
fn listed(text: &str) -> Option<Vec<String>> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let items: Vec<_> = items.map(str::to_owned).collect();
    (!items.is_empty()).then_some(items)
}

const NOT_A_TENANT: &str =
    "is not a tenant: it must be its id, like 00000000-0000-0000-0000-000000000000";

/// The id of a tenant, which becomes part of a URL.
fn tenant_id(text: &str) -> Result<String, &'static str> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins && text.chars().all(known) { Ok(text.to_owned()) } else { Err(NOT_A_TENANT) }
}

/// The issuers of version 1 tokens, which managed identities receive, and of version 2 tokens.
fn issuers(authority: &str, tenant: &str) -> Vec<String> {
    let authority = authority.trim_end_matches('/');
    vec![format!("https://sts.windows.net/{tenant}/"), format!("{authority}/{tenant}/v2.0")]
}

fn keys_url(authority: &str, tenant: &str) -> Option<Uri> {
    format!("{}/{tenant}/discovery/v2.0/keys", authority.trim_end_matches('/')).parse().ok()
}

fn keys_address(text: &str) -> Result<Uri, &'static str> {
    let problem = "is not a URL: it must be the https address of a JSON web key set";
    values::base_uri(text).filter(is_safe).ok_or(problem)
}

fn authority(text: &str) -> Result<String, &'static str> {
    let problem = "is not a URL: it must be the https address of a token service, like https://login.microsoftonline.com";
    let uri = values::base_uri(text).filter(is_safe).ok_or(problem)?;
    Ok(uri.to_string())
}

/// HTTPS is required: a man in the middle who replaces the keys could sign any token.
fn is_safe(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https") || uri.host().is_some_and(is_loopback)
}
