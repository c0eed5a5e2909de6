//! Negotiation of a client: the app's endpoint, redirects, then the service.

use bytes::Bytes;
use http::{Request, Uri, header::CONTENT_LENGTH};
use hub_core::{Secret, names, protocol::Protocol};
use serde::Deserialize;

use super::request::{HttpClient, read_body, send};
use crate::{LoadError, LoadTransport};

const MAX_REDIRECTS: usize = 100;

/// Result of a negotiation: the URL and the token with which the transport is opened.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: Uri,
    pub(crate) token: Option<Secret>,
    /// Connection id.
    pub(crate) id: Option<String>,
    pub(crate) transport: LoadTransport,
}

/// Negotiates over pooled connections.
pub(crate) struct Negotiator {
    pub(super) client: HttpClient,
    pub(super) url: Uri,
    pub(super) bearer: Option<Secret>,
    /// Required transport.
    pub(super) transport: LoadTransport,
    pub(super) protocol: Protocol,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NegotiateResponse {
    url: Option<String>,
    access_token: Option<String>,
    connection_id: Option<String>,
    connection_token: Option<String>,
    error: Option<String>,
    #[serde(default)]
    available_transports: Vec<Transport>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transport {
    transport: String,
    /// `None` if the server does not restrict formats.
    transfer_formats: Option<Vec<String>>,
}

impl Negotiator {
    pub(crate) async fn negotiate(&self) -> Result<Endpoint, LoadError> {
        let (mut url, mut token) = (self.url.clone(), self.bearer.clone());
        for _ in 0..MAX_REDIRECTS {
            let response = self.request_once(&url, token.as_ref()).await?;
            if let Some(error) = response.error {
                return Err(LoadError::Refused(error));
            }
            let Some(redirect) = response.url else {
                self.check(&response.available_transports)?;
                let id = response.connection_id;
                let url = endpoint_url(&url, response.connection_token.as_ref().or(id.as_ref()))?;
                return Ok(Endpoint { url, token, id, transport: self.transport });
            };
            url = redirect.parse().map_err(|_| LoadError::Url(redirect))?;
            token = response.access_token.map(Secret::from).or(token);
        }
        Err(LoadError::Refused("too many redirects".to_owned()))
    }

    /// Checks that the server offers transport and transfer format.
    fn check(&self, offered: &[Transport]) -> Result<(), LoadError> {
        let name = self.transport.wire_name();
        let format = if self.protocol.is_binary() { "Binary" } else { "Text" };
        let Some(found) = offered.iter().find(|it| it.transport == name) else {
            return Err(LoadError::Refused(format!("the server does not offer {name}")));
        };
        match &found.transfer_formats {
            Some(formats) if formats.iter().all(|it| it != format) => {
                Err(LoadError::Refused(format!("the server offers {name} without {format}")))
            }
            _ => Ok(()),
        }
    }

    async fn request_once(
        &self,
        url: &Uri,
        token: Option<&Secret>,
    ) -> Result<NegotiateResponse, LoadError> {
        let request = Request::post(negotiate_url(url)?).header(CONTENT_LENGTH, "0");
        let response = send(&self.client, "negotiate", request, token, Bytes::new()).await?;
        let body = read_body(response).await?;
        serde_json::from_slice(&body).map_err(LoadError::protocol)
    }
}

fn endpoint_url(url: &Uri, id: Option<&String>) -> Result<Uri, LoadError> {
    let id =
        id.ok_or_else(|| LoadError::protocol("the negotiate response has no connection id"))?;
    with_query(url, url.path(), &format!("id={}", names::encode_segment(id)))
}

/// The `hub` parameter of a URL. All client URLs of the service have this parameter.
pub(crate) fn hub_of(url: &Uri) -> Option<String> {
    let mut pairs = form_urlencoded::parse(url.query().unwrap_or_default().as_bytes());
    pairs.find(|(name, _)| name.eq_ignore_ascii_case("hub")).map(|(_, value)| value.into_owned())
}

fn negotiate_url(url: &Uri) -> Result<Uri, LoadError> {
    let path = format!("{}/negotiate", url.path().trim_end_matches('/'));
    with_query(url, &path, "negotiateVersion=1")
}

/// The URL with another path and one more query parameter.
fn with_query(url: &Uri, path: &str, parameter: &str) -> Result<Uri, LoadError> {
    let query = url.query().map(|query| format!("{query}&")).unwrap_or_default();
    let mut parts = url.clone().into_parts();
    let text = format!("{path}?{query}{parameter}");
    parts.path_and_query = Some(text.parse().map_err(|_| LoadError::Url(text))?);
    Uri::from_parts(parts).map_err(LoadError::protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiate_is_one_more_segment_and_the_query_stays() {
        let made = |url: &'static str| negotiate_url(&Uri::from_static(url)).unwrap().to_string();

        assert_eq!(made("http://h/chat"), "http://h/chat/negotiate?negotiateVersion=1");
        assert_eq!(
            made("http://h:1/client/?hub=chat"),
            "http://h:1/client/negotiate?hub=chat&negotiateVersion=1"
        );
        assert_eq!(made("http://h"), "http://h/negotiate?negotiateVersion=1");
    }

    #[test]
    fn the_connection_token_goes_into_the_query() {
        let url = Uri::from_static("http://h/client/?hub=chat");

        let endpoint = endpoint_url(&url, Some(&"B+/=".to_owned())).unwrap();

        assert_eq!(endpoint, "http://h/client/?hub=chat&id=B%2B%2F%3D");
        assert_eq!(hub_of(&endpoint).as_deref(), Some("chat"));
    }
}
