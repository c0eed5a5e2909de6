//! REST client of the service: URLs of a hub, tokens, calls.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Method, Request, Uri, header::CONTENT_TYPE};
use hub_core::{
    Secret,
    client_access::{USER_ID_CLAIM, client_url},
    names, token,
};

use crate::{
    LoadError,
    client::{
        connector::connector,
        negotiate::hub_of,
        request::{HttpClient, http_client, read_body, send},
    },
};

const TOKEN_LIFETIME_SECONDS: u64 = 3600;
/// Query parameter with the API version.
pub(crate) const VERSION_QUERY: &str = "api-version=2022-06-01";
/// User id of clients that connect without the app's negotiate.
const USER_ID: &str = "load";

/// One hub of the service in the connection string.
#[derive(Clone, Debug)]
pub(crate) struct RestClient {
    /// URL of the hub without a trailing slash.
    base: Arc<str>,
    key: Secret,
    http: HttpClient,
}

impl RestClient {
    pub(crate) fn new(connection_string: &Secret, hub: &str) -> Result<Self, LoadError> {
        let (endpoint, key) = parse(connection_string.expose())?;
        let hub = hub.to_lowercase();
        let base = format!("{endpoint}/api/hubs/{}", names::encode_segment(&hub));
        let url = base.parse().map_err(|_| LoadError::Url(base.clone()))?;
        Ok(Self { base: base.into(), key, http: http_client(connector(&url, None)?) })
    }

    /// URL of the resource at `path` below the hub. Names in `path` must be encoded.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// Signs a token for a resource.
    pub(crate) fn token(&self, url: &str) -> Result<Secret, LoadError> {
        signed(&self.key, url, None)
    }

    /// Calls an operation and returns the body of the response, or an error for any status but 2xx.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, LoadError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let url = self.url(path);
        let token = self.token(&url)?;
        let request = Request::builder()
            .method(method)
            .uri(format!("{url}?{VERSION_QUERY}&{query}"))
            .header(CONTENT_TYPE, "application/json");
        read_body(send(&self.http, "a REST call", request, Some(&token), body).await?).await
    }
}

/// Creates a client token if `url` is a client URL of the service. Clients with such a URL need no app to
/// negotiate.
pub(crate) fn client_token(
    connection_string: &Secret,
    url: &Uri,
) -> Result<Option<Secret>, LoadError> {
    let hub = hub_of(url);
    let (Some(hub), "/client") = (hub, url.path().trim_end_matches('/')) else { return Ok(None) };
    let (endpoint, key) = parse(connection_string.expose())?;
    let audience = client_url(&endpoint, &names::encode_segment(&hub));
    signed(&key, &audience, Some(USER_ID)).map(Some)
}

fn signed(key: &Secret, audience: &str, user: Option<&str>) -> Result<Secret, LoadError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut claims = serde_json::json!({ "aud": audience, "exp": now + TOKEN_LIFETIME_SECONDS });
    if let (Some(user), Some(claims)) = (user, claims.as_object_mut()) {
        claims.insert(USER_ID_CLAIM.to_owned(), user.into());
    }
    token::sign(&claims, key).map(Secret::from).map_err(LoadError::protocol)
}

/// Splits a connection string into the endpoint (with port, without trailing slash) and the key.
fn parse(text: &str) -> Result<(String, Secret), LoadError> {
    let value = |wanted: &str| {
        let pairs = text.split(';').filter_map(|part| part.split_once('='));
        let mut found = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim().trim_end_matches('/').to_owned())
    };
    let missing =
        |what: &str| LoadError::Arguments(format!("the connection string does not contain {what}"));
    let endpoint = value("Endpoint").ok_or_else(|| missing("Endpoint"))?;
    let key = value("AccessKey").ok_or_else(|| missing("AccessKey"))?;
    let port = value("Port").map(|port| format!(":{port}")).unwrap_or_default();
    Ok((format!("{endpoint}{port}"), Secret::from(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_names_endpoint_port_and_key() {
        let text = "Endpoint=http://localhost/;Port=8888;AccessKey=a=b==;Version=1.0;";

        let (endpoint, key) = parse(text).unwrap();

        assert_eq!((endpoint.as_str(), key.expose()), ("http://localhost:8888", "a=b=="));
        assert!(parse("AccessKey=x").is_err());
    }

    #[test]
    fn only_client_urls_of_the_service_get_a_token() {
        let text = Secret::from("Endpoint=http://localhost;Port=8888;AccessKey=k;Version=1.0;");
        let has_token = |url: &str| client_token(&text, &url.parse().unwrap()).unwrap().is_some();

        assert!(has_token("http://localhost:8888/client/?hub=chat"));
        assert!(has_token("http://localhost:8888/client?hub=chat"));
        assert!(!has_token("http://localhost:8888/client/"));
        assert!(!has_token("http://localhost:7071/chat?hub=chat"));
    }
}
