//! How upstream calls prove where they come from when there is no access key to sign them with.

use http::Uri;

use super::{SettingProblem, endpoint::Reader, is_loopback, values};

/// Where tokens of Microsoft Entra come from, unless `AZURE_AUTHORITY_HOST` says otherwise.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// Which tokens of Microsoft Entra the service sends.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamTokens {
    pub(crate) audiences: Vec<String>,
    pub(crate) issuers: Vec<String>,
    pub(crate) keys_url: Uri,
    /// The application or object that the token must belong to.
    pub(crate) client_id: Option<String>,
}

impl UpstreamTokens {
    /// Tokens for an audience, of a tenant.
    pub(crate) fn of_tenant(audience: &str, tenant: &str) -> Option<Self> {
        Some(Self {
            audiences: vec![audience.to_owned()],
            issuers: issuers(AUTHORITY, tenant),
            keys_url: keys_url(AUTHORITY, tenant)?,
            client_id: None,
        })
    }

    /// `upstreamAudience` and its neighbours below `name`.
    pub(crate) fn read(reader: &mut Reader<'_>, name: &str) -> Option<Self> {
        let key = |key: &str| format!("{name}:{key}");
        let audiences = reader.text(&key("upstreamAudience"));
        let issuer = reader.text(&key("upstreamIssuer"));
        let keys = reader.parsed(&key("upstreamKeys"), keys_address);
        let client_id = reader.text(&key("upstreamClientId"));
        let own_tenant = reader.text(&key("upstreamTenantId"));
        let asked =
            issuer.is_some() || keys.is_some() || client_id.is_some() || own_tenant.is_some();
        let Some(audiences) = audiences else {
            if asked {
                let setting = format!("{name}__upstreamAudience");
                let problem = "is missing: it is the audience that the service's upstream authentication names";
                reader.problems.push(SettingProblem::invalid(setting, problem));
            }
            return None;
        };
        let tenant = own_tenant
            .or_else(|| reader.text(&key("tenantId")))
            .or_else(|| reader.text("AZURE_TENANT_ID"));
        let authority = reader.text("AZURE_AUTHORITY_HOST").unwrap_or_else(|| AUTHORITY.to_owned());
        let of_tenant =
            tenant.map(|tenant| (issuers(&authority, &tenant), keys_url(&authority, &tenant)));
        let (tenant_issuers, tenant_keys) = of_tenant.unwrap_or_default();
        let issuers = issuer.map_or(tenant_issuers, |issuer| vec![issuer]);
        let keys = keys.or(tenant_keys);
        let Some(keys_url) = keys.filter(|_| !issuers.is_empty()) else {
            let setting = format!("{name}__upstreamTenantId");
            let problem = "is missing: it is the tenant whose tokens the service sends; upstreamIssuer and upstreamKeys together stand in for it";
            reader.problems.push(SettingProblem::invalid(setting, problem));
            return None;
        };
        let audiences = audiences.split(',').map(|audience| audience.trim().to_owned());
        let audiences = audiences.filter(|audience| !audience.is_empty()).collect();
        Some(Self { audiences, issuers, keys_url, client_id })
    }
}

/// Version 1 of the tokens, which managed identities get, and version 2.
fn issuers(authority: &str, tenant: &str) -> Vec<String> {
    let authority = authority.trim_end_matches('/');
    vec![format!("https://sts.windows.net/{tenant}/"), format!("{authority}/{tenant}/v2.0")]
}

fn keys_url(authority: &str, tenant: &str) -> Option<Uri> {
    format!("{}/{tenant}/discovery/v2.0/keys", authority.trim_end_matches('/')).parse().ok()
}

/// Whoever can change the keys on their way signs what he likes.
fn keys_address(text: &str) -> Result<Uri, &'static str> {
    let safe = |uri: &Uri| uri.scheme_str() == Some("https") || uri.host().is_some_and(is_loopback);
    values::base_uri(text)
        .filter(safe)
        .ok_or("is not a URL: it must be the https address of a JSON web key set")
}
