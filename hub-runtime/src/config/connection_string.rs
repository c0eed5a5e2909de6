//! Connection strings: `Endpoint=…;AccessKey=…;Version=1.0;`.

use http::Uri;
use hub_core::Secret;

use super::{
    endpoint::{Credential, Identity, UserAssigned},
    values::base_uri,
};

/// A parsed connection string.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionString {
    /// The URL of the service, with the effective port.
    pub(crate) endpoint: Uri,
    pub(crate) credential: Credential,
    /// The URL for clients, if it differs from `endpoint`.
    pub(crate) client_endpoint: Option<Uri>,
    /// The URL of the REST API, if it differs from `endpoint`.
    pub(crate) server_endpoint: Option<Uri>,
}

/// Why a connection string is invalid. The texts contain no value of the string except the version.
///
/// The variants up to `Version` have the texts of Microsoft's parser, so that a search finds its
/// documentation.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionStringError {
    /// `Endpoint` is missing.
    #[error("Connection string missing required properties endpoint.")]
    NoEndpoint,
    /// `AccessKey` is missing.
    #[error("accesskey is required.")]
    NoAccessKey,
    /// A key occurs twice.
    #[error("Duplicate properties found in connection string: {0}.")]
    Duplicate(String),
    /// `Endpoint` is not an absolute http or https URI.
    #[error("Invalid value for endpoint property, it must be a valid URI.")]
    Endpoint,
    /// `ClientEndpoint` is not an absolute http or https URI.
    #[error("Invalid value for clientendpoint property, it must be a valid URI.")]
    ClientEndpoint,
    /// `ServerEndpoint` is not an absolute http or https URI.
    #[error("Invalid value for serverendpoint property, it must be a valid URI.")]
    ServerEndpoint,
    /// `Port` is not a number from 1 to 65535.
    #[error("Invalid value for port property, it must be an positive integer between (0, 65536)")]
    Port,
    /// `Version` is not 1.x.
    #[error("Version {0} is not supported.")]
    Version(String),
    /// `AuthType` selects an app registration, and one of its parts is missing.
    #[error(
        "Connection string missing required properties {0}: AuthType=azure.app needs ClientId, TenantId and ClientSecret."
    )]
    NoAppRegistration(&'static str),
    /// The app registration signs in with a certificate.
    #[error(
        "{0} is not supported: give the app registration a ClientSecret, or use a managed identity."
    )]
    Certificate(&'static str),
}

impl ConnectionString {
    /// Parses a connection string: parts separated by `;`, each split at its first `=`. Keys are
    /// case-insensitive, and unknown keys are ignored.
    pub(crate) fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        let properties = Properties::split(text)?;
        if properties.count < 2 {
            return Err(ConnectionStringError::NoEndpoint);
        }
        if let Some(version) = properties.get("version").filter(|version| !is_version_1(version)) {
            return Err(ConnectionStringError::Version(version.to_owned()));
        }
        let endpoint = properties.get("endpoint").ok_or(ConnectionStringError::NoEndpoint)?;
        let endpoint = base_uri(endpoint).ok_or(ConnectionStringError::Endpoint)?;
        let endpoint = match properties.get("port") {
            None => endpoint,
            Some(port) => with_port(&endpoint, port).ok_or(ConnectionStringError::Port)?,
        };
        let credential = properties.credential()?;
        let optional =
            |key, error| properties.get(key).map(|value| base_uri(value).ok_or(error)).transpose();
        Ok(Self {
            endpoint,
            credential,
            client_endpoint: optional("clientendpoint", ConnectionStringError::ClientEndpoint)?,
            server_endpoint: optional("serverendpoint", ConnectionStringError::ServerEndpoint)?,
        })
    }
}

/// The `key=value` parts of the string.
struct Properties<'a> {
    pairs: Vec<(String, &'a str)>,
    count: usize,
}

impl<'a> Properties<'a> {
    fn split(text: &'a str) -> Result<Self, ConnectionStringError> {
        let pieces: Vec<_> = text.split(';').filter(|piece| !piece.trim().is_empty()).collect();
        let mut pairs: Vec<(String, &str)> = Vec::new();
        for (key, value) in pieces.iter().filter_map(|piece| piece.split_once('=')) {
            let key = key.trim().to_ascii_lowercase();
            if pairs.iter().any(|(held, _)| *held == key) {
                return Err(ConnectionStringError::Duplicate(key));
            }
            pairs.push((key, value.trim()));
        }
        Ok(Self { pairs, count: pieces.len() })
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(held, _)| held == key).map(|(_, value)| *value)
    }

    fn owned(&self, key: &str) -> Option<String> {
        self.get(key).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// The credential that `AuthType` selects. An unknown type selects the access key.
    fn credential(&self) -> Result<Credential, ConnectionStringError> {
        let auth = self.get("authtype").map(str::to_ascii_lowercase).unwrap_or_default();
        let has = |key| self.owned(key).is_some();
        let identity = match auth.as_str() {
            "azure" => Identity::Chain { client_id: self.owned("clientid") },
            "azure.msi" => self.managed(),
            "azure.app" => self.app()?,
            // The older spelling: the other keys select the identity.
            "aad" if has("tenantid") => self.app()?,
            "aad" => self.managed(),
            _ => {
                let key = self.owned("accesskey").ok_or(ConnectionStringError::NoAccessKey)?;
                return Ok(Credential::Key(Secret::from(key)));
            }
        };
        Ok(Credential::Identity(identity))
    }

    fn managed(&self) -> Identity {
        Identity::Managed(self.owned("clientid").map(UserAssigned::ClientId))
    }

    fn app(&self) -> Result<Identity, ConnectionStringError> {
        for certificate in ["ClientCert", "ClientCertPath"] {
            if self.get(&certificate.to_ascii_lowercase()).is_some() {
                return Err(ConnectionStringError::Certificate(certificate));
            }
        }
        let part = |key: &'static str| {
            self.owned(key).ok_or(ConnectionStringError::NoAppRegistration(key))
        };
        Ok(Identity::App {
            client_id: part("clientid")?,
            tenant_id: part("tenantid")?,
            client_secret: Secret::from(part("clientsecret")?),
        })
    }
}

fn with_port(uri: &Uri, port: &str) -> Option<Uri> {
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    let text = format!("{}://{}:{port}{}", uri.scheme_str()?, uri.host()?, path_of(uri));
    text.parse().ok()
}

/// A base URI's path without the closing slash.
pub(crate) fn path_of(uri: &Uri) -> &str {
    uri.path().trim_end_matches('/')
}

/// Whether the version matches `^1\.\d+(?:[\w-.]+)?$`.
fn is_version_1(version: &str) -> bool {
    let Some(rest) = version.strip_prefix("1.") else { return false };
    rest.starts_with(|first: char| first.is_ascii_digit())
        && rest.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        ConnectionString::parse(text).unwrap_err().to_string()
    }

    fn key(parsed: &ConnectionString) -> &str {
        match &parsed.credential {
            Credential::Key(key) => key.expose(),
            Credential::Identity(_) => panic!("no key"),
        }
    }

    fn identity(rest: &str) -> Identity {
        let text = format!("Endpoint=https://x.net;{rest};Version=1.0;");
        match ConnectionString::parse(&text).unwrap().credential {
            Credential::Identity(identity) => identity,
            Credential::Key(_) => panic!("a key"),
        }
    }

    #[test]
    fn the_emulator_string_puts_the_port_into_the_endpoint() {
        let parsed = ConnectionString::parse(
            "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;",
        )
        .unwrap();

        assert_eq!(parsed.endpoint, "http://localhost:8888/");
        assert_eq!(key(&parsed), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH");
    }

    #[test]
    fn keys_ignore_case_and_values_keep_their_equal_signs() {
        let parsed =
            ConnectionString::parse(" ENDPOINT = https://x.net/ ; accessKEY=ab==;Future=1")
                .unwrap();

        assert_eq!(parsed.endpoint, "https://x.net/");
        assert_eq!(key(&parsed), "ab==");
    }

    #[test]
    fn client_and_server_endpoints_are_read() {
        let parsed = ConnectionString::parse(
            "Endpoint=https://x.net;AccessKey=k;ClientEndpoint=https://edge.net/c;ServerEndpoint=https://rest.net",
        )
        .unwrap();

        assert_eq!(parsed.client_endpoint.unwrap(), "https://edge.net/c");
        assert_eq!(parsed.server_endpoint.unwrap(), "https://rest.net/");
    }

    #[test]
    fn each_error_has_the_text_of_the_official_parser() {
        assert_eq!(error(""), "Connection string missing required properties endpoint.");
        assert_eq!(
            error("Endpoint=http://x"),
            "Connection string missing required properties endpoint."
        );
        assert_eq!(
            error("AccessKey=k;Version=1.0"),
            "Connection string missing required properties endpoint."
        );
        assert_eq!(error("Endpoint=http://x;Version=1.0"), "accesskey is required.");
        assert_eq!(
            error("Endpoint=ftp://x;AccessKey=k"),
            "Invalid value for endpoint property, it must be a valid URI."
        );
        assert_eq!(
            error("Endpoint=http://x;AccessKey=k;Port=65536"),
            "Invalid value for port property, it must be an positive integer between (0, 65536)"
        );
        assert_eq!(
            error("Endpoint=http://x;AccessKey=k;Version=2.0"),
            "Version 2.0 is not supported."
        );
        assert_eq!(
            error("Endpoint=http://x;AccessKey=k;endpoint=http://y"),
            "Duplicate properties found in connection string: endpoint."
        );
    }

    #[test]
    fn every_form_of_identity_is_read() {
        assert!(matches!(identity("AuthType=azure"), Identity::Chain { client_id: None }));
        assert!(matches!(identity("AuthType=Azure.MSI"), Identity::Managed(None)));
        assert!(matches!(identity("AuthType=aad"), Identity::Managed(None)));
        let chosen = |rest| match identity(rest) {
            Identity::Managed(Some(UserAssigned::ClientId(id))) => id,
            other => panic!("{other:?}"),
        };
        assert_eq!(chosen("AuthType=azure.msi;ClientId=id"), "id");
        assert_eq!(chosen("AuthType=aad;ClientId=id"), "id");
        for auth in ["azure.app", "aad"] {
            let rest = format!("AuthType={auth};ClientId=c;TenantId=t;ClientSecret=s");
            assert!(matches!(
                identity(&rest),
                Identity::App { tenant_id, client_id, client_secret }
                    if tenant_id == "t" && client_id == "c" && client_secret.expose() == "s"
            ));
        }
    }

    #[test]
    fn an_incomplete_app_registration_names_the_missing_settings() {
        assert_eq!(
            error("Endpoint=https://x;AuthType=azure.app;ClientId=c;TenantId=t"),
            "Connection string missing required properties clientsecret: AuthType=azure.app needs ClientId, TenantId and ClientSecret."
        );
        assert_eq!(
            error("Endpoint=https://x;AuthType=azure.app;ClientId=c;TenantId=t;ClientCertPath=p"),
            "ClientCertPath is not supported: give the app registration a ClientSecret, or use a managed identity."
        );
    }

    #[test]
    fn no_error_shows_the_key() {
        for text in ["Endpoint=x;AccessKey=topsecret", "AccessKey=topsecret;accesskey=topsecret"] {
            assert!(!error(text).contains("topsecret"));
        }
    }
}
