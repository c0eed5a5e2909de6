//! The service as REST callers see it: where it is, and tokens for its resources.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hub_core::{
    Secret,
    client_access::{USER_ID_CLAIM, client_url},
    names, token,
};

use crate::{LoadError, negotiate::hub_of, over_http::HttpClient};

const LIFETIME: u64 = 3600;
const API_VERSION: &str = "2022-06-01";
const MAX_ANSWER: usize = 1024 * 1024;
/// Whom clients are that need no app to negotiate.
const USER: &str = "load";

/// A hub of the service that a connection string names.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// Up to the hub, without a slash at the end.
    base: Arc<str>,
    key: Secret,
}

impl Service {
    pub(crate) fn new(connection_string: &Secret, hub: &str) -> Result<Self, LoadError> {
        let (endpoint, key) = parse(connection_string.expose())?;
        let hub = hub.to_lowercase();
        let base = format!("{endpoint}/api/hubs/{}", names::encode_segment(&hub)).into();
        Ok(Self { base, key })
    }

    /// The resource at this path below the hub, whose names are encoded already.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// Makes a token for a resource.
    pub(crate) fn token(&self, url: &str) -> Result<String, LoadError> {
        signed(&self.key, url, None)
    }

    /// Calls an operation and returns its status and the body of the answer.
    pub(crate) async fn call(
        &self,
        client: &HttpClient,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), LoadError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let url = self.url(path);
        let bearer = format!("Bearer {}", self.token(&url)?);
        let request = Request::builder()
            .method(method)
            .uri(format!("{url}?{}&{query}", versioned()))
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::from(body))
            .map_err(LoadError::protocol)?;
        let answer = client.request(request).await.map_err(LoadError::connect)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        Ok((status, body.map_err(LoadError::Connect)?.to_bytes()))
    }

    /// The same where nothing but success will do.
    pub(crate) async fn done(
        &self,
        client: &HttpClient,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, LoadError> {
        let (status, body) = self.call(client, method, path, body).await?;
        if status.is_success() {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(body.get(..200).unwrap_or(&body)).into_owned();
        Err(LoadError::Status { what: "a REST call", status: status.as_u16(), text })
    }
}

/// The version that every call asks for.
pub(crate) fn versioned() -> String {
    format!("api-version={API_VERSION}")
}

/// A client's own token, where its URL is the service's and no app need be asked.
pub(crate) fn client_token(
    connection_string: &Secret,
    url: &Uri,
) -> Result<Option<Secret>, LoadError> {
    let hub = hub_of(url);
    let (Some(hub), "/client") = (hub, url.path().trim_end_matches('/')) else { return Ok(None) };
    let (endpoint, key) = parse(connection_string.expose())?;
    let audience = client_url(&endpoint, &names::encode_segment(&hub));
    signed(&key, &audience, Some(USER)).map(|token| Some(Secret::from(token)))
}

fn signed(key: &Secret, audience: &str, user: Option<&str>) -> Result<String, LoadError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut claims = serde_json::json!({ "aud": audience, "exp": now + LIFETIME });
    if let (Some(user), Some(claims)) = (user, claims.as_object_mut()) {
        claims.insert(USER_ID_CLAIM.to_owned(), user.into());
    }
    token::sign(&claims, key).map_err(LoadError::protocol)
}

/// Endpoint, with its port and without a closing slash, and key.
fn parse(text: &str) -> Result<(String, Secret), LoadError> {
    let value = |wanted: &str| {
        let pairs = text.split(';').filter_map(|part| part.split_once('='));
        let mut found = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim().trim_end_matches('/').to_owned())
    };
    let missing = |what: &str| LoadError::Arguments(format!("the connection string has no {what}"));
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
    fn only_the_services_own_clients_get_a_token_without_an_app() {
        let text = Secret::from("Endpoint=http://localhost;Port=8888;AccessKey=k;Version=1.0;");
        let has_token = |url: &str| client_token(&text, &url.parse().unwrap()).unwrap().is_some();

        assert!(has_token("http://localhost:8888/client/?hub=chat"));
        assert!(has_token("http://localhost:8888/client?hub=chat"));
        assert!(!has_token("http://localhost:8888/client/"));
        assert!(!has_token("http://localhost:7071/chat?hub=chat"));
    }
}
