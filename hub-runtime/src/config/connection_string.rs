//! Connection strings: `Endpoint=…;AccessKey=…;Version=1.0;`.

use http::Uri;
use hub_core::Secret;

/// What a connection string says.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionString {
    /// Where the service is, with the port that counts.
    pub(crate) endpoint: Uri,
    pub(crate) access_key: Secret,
    /// Where clients reach it, if that is elsewhere.
    pub(crate) client_endpoint: Option<Uri>,
    /// Where its REST API is, if that is elsewhere.
    pub(crate) server_endpoint: Option<Uri>,
}

/// Why a connection string cannot be used. No text holds a value of the string but the endpoint's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionStringError {
    /// `Endpoint` is not there.
    #[error("Connection string missing required properties endpoint.")]
    NoEndpoint,
    /// `AccessKey` is not there.
    #[error("accesskey is required.")]
    NoAccessKey,
    /// A key is given twice.
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
    /// `Port` is not a port.
    #[error("Invalid value for port property, it must be an positive integer between (0, 65536)")]
    Port,
    /// `Version` is not 1.x.
    #[error("Version {0} is not supported.")]
    Version(String),
    /// `AuthType` asks for Microsoft Entra, which is not supported yet.
    #[error(
        "AuthType={0} signs in with Microsoft Entra, which is not supported yet; use a connection string with AccessKey"
    )]
    Identity(String),
}

impl ConnectionString {
    /// Reads a connection string: pieces between `;`, each split at its first `=`, keys in any case,
    /// unknown keys ignored.
    pub(crate) fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        let properties = Properties::split(text)?;
        if properties.count < 2 {
            return Err(ConnectionStringError::NoEndpoint);
        }
        if let Some(version) = properties.get("version").filter(|version| !is_version_1(version)) {
            return Err(ConnectionStringError::Version(version.to_owned()));
        }
        let endpoint = properties.get("endpoint").ok_or(ConnectionStringError::NoEndpoint)?;
        let endpoint = uri(endpoint).ok_or(ConnectionStringError::Endpoint)?;
        let endpoint = match properties.get("port") {
            None => endpoint,
            Some(port) => with_port(&endpoint, port).ok_or(ConnectionStringError::Port)?,
        };
        if let Some(auth) = properties.get("authtype").map(str::to_ascii_lowercase)
            && matches!(auth.as_str(), "azure" | "azure.msi" | "azure.app" | "aad")
        {
            return Err(ConnectionStringError::Identity(auth));
        }
        let access_key = properties
            .get("accesskey")
            .filter(|key| !key.is_empty())
            .ok_or(ConnectionStringError::NoAccessKey)?;
        let optional =
            |key, error| properties.get(key).map(|value| uri(value).ok_or(error)).transpose();
        Ok(Self {
            endpoint,
            access_key: Secret::from(access_key),
            client_endpoint: optional("clientendpoint", ConnectionStringError::ClientEndpoint)?,
            server_endpoint: optional("serverendpoint", ConnectionStringError::ServerEndpoint)?,
        })
    }
}

impl ConnectionString {
    /// Every address that the string names.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Uri> {
        [Some(&self.endpoint), self.client_endpoint.as_ref(), self.server_endpoint.as_ref()]
            .into_iter()
            .flatten()
    }
}

/// The `key=value` pieces of the string.
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
}

fn uri(text: &str) -> Option<Uri> {
    let uri: Uri = text.trim_end_matches('/').parse().ok()?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    (known && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
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

/// `^1\.\d+(?:[\w-.]+)?$`
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

    #[test]
    fn the_emulator_string_puts_the_port_into_the_endpoint() {
        let parsed = ConnectionString::parse(
            "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;",
        )
        .unwrap();

        assert_eq!(parsed.endpoint, "http://localhost:8888/");
        assert_eq!(parsed.access_key.expose(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH");
    }

    #[test]
    fn keys_ignore_case_and_values_keep_their_equal_signs() {
        let parsed =
            ConnectionString::parse(" ENDPOINT = https://x.net/ ; accessKEY=ab==;Future=1")
                .unwrap();

        assert_eq!(parsed.endpoint, "https://x.net/");
        assert_eq!(parsed.access_key.expose(), "ab==");
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
    fn each_mistake_has_the_text_of_the_official_parser() {
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
    fn no_error_shows_the_key() {
        for text in ["Endpoint=x;AccessKey=topsecret", "AccessKey=topsecret;accesskey=topsecret"] {
            assert!(!error(text).contains("topsecret"));
        }
    }
}
