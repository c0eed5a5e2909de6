//! Negotiates as a client does: the app's endpoint, redirects, then the service.

use http::{
    Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_LENGTH},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hub_core::{Secret, names, protocol::Protocol};
use serde::Deserialize;

use crate::{LoadArgs, LoadError, LoadTransport, over_http::HttpClient};

const REDIRECTS: usize = 100;
const MAX_ANSWER: usize = 64 * 1024;

/// Where a transport is to be opened, and with which token.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) url: Uri,
    pub(crate) token: Option<Secret>,
    /// The hub that the URL names, as those of the service do.
    pub(crate) hub: Option<String>,
    /// The public id of the connection.
    pub(crate) id: Option<Box<str>>,
    pub(crate) transport: LoadTransport,
}

/// Negotiates over kept connections.
pub(crate) struct Negotiator {
    client: HttpClient,
    url: Uri,
    bearer: Option<Secret>,
    /// What the clients want.
    transport: LoadTransport,
    protocol: Protocol,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
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
    /// Absent where the server says nothing about it.
    transfer_formats: Option<Vec<String>>,
}

impl Negotiator {
    pub(crate) fn new(
        client: HttpClient,
        url: Uri,
        bearer: Option<Secret>,
        args: &LoadArgs,
    ) -> Self {
        let transport = args.transport;
        Self { client, url, bearer, transport, protocol: args.protocol.into() }
    }

    pub(crate) async fn negotiate(&self) -> Result<Door, LoadError> {
        let (mut url, mut token) = (self.url.clone(), self.bearer.clone());
        for _ in 0..REDIRECTS {
            let answer = self.ask(&url, token.as_ref()).await?;
            if let Some(error) = answer.error {
                return Err(LoadError::Refused(error));
            }
            let Some(redirect) = answer.url else {
                let id = answer.connection_id.as_deref().map(Box::from);
                let secret = answer.connection_token.or(answer.connection_id);
                self.check(&answer.available_transports)?;
                return Ok(Door { id, ..door(&url, token, secret, self.transport)? });
            };
            url = redirect.parse().map_err(|_| LoadError::Url(redirect))?;
            token = answer.access_token.map(Secret::from).or(token);
        }
        Err(LoadError::Refused("too many redirects".to_owned()))
    }

    /// Whether the server offers what the clients want.
    fn check(&self, offered: &[Transport]) -> Result<(), LoadError> {
        let name = self.transport.wire_name();
        let format = if self.protocol.is_binary() { "Binary" } else { "Text" };
        let Some(found) = offered.iter().find(|it| it.transport == name) else {
            return Err(LoadError::Refused(format!("the server offers no {name}")));
        };
        match &found.transfer_formats {
            Some(formats) if formats.iter().all(|it| it != format) => {
                Err(LoadError::Refused(format!("the server offers {name} without {format}")))
            }
            _ => Ok(()),
        }
    }

    async fn ask(&self, url: &Uri, token: Option<&Secret>) -> Result<Answer, LoadError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(negotiate_url(url)?)
            .header(CONTENT_LENGTH, "0");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request = request.body(Full::default()).map_err(LoadError::protocol)?;
        let answer = self.client.request(request).await.map_err(LoadError::connect)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(LoadError::Connect)?.to_bytes();
        if status != StatusCode::OK {
            let text = String::from_utf8_lossy(body.get(..200).unwrap_or(&body)).into_owned();
            return Err(LoadError::Status { what: "negotiate", status: status.as_u16(), text });
        }
        serde_json::from_slice(&body).map_err(LoadError::protocol)
    }
}

fn door(
    url: &Uri,
    token: Option<Secret>,
    id: Option<String>,
    transport: LoadTransport,
) -> Result<Door, LoadError> {
    let id = id.ok_or_else(|| LoadError::protocol("the negotiate answer has no connection id"))?;
    let hub = hub_of(url);
    Ok(Door {
        url: with_query(url, url.path(), &format!("id={}", names::encode_segment(&id)))?,
        token,
        hub,
        id: None,
        transport,
    })
}

/// The `hub` parameter of a URL.
pub(crate) fn hub_of(url: &Uri) -> Option<String> {
    let mut pairs = form_urlencoded::parse(url.query().unwrap_or_default().as_bytes());
    pairs.find(|(name, _)| name.eq_ignore_ascii_case("hub")).map(|(_, value)| value.into_owned())
}

fn negotiate_url(url: &Uri) -> Result<Uri, LoadError> {
    let path = format!("{}/negotiate", url.path().trim_end_matches('/'));
    with_query(url, &path, "negotiateVersion=1")
}

/// The URL with another path, and one more parameter.
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

        let door = door(&url, None, Some("B+/=".to_owned()), LoadTransport::LongPolling).unwrap();

        assert_eq!(door.url, "http://h/client/?hub=chat&id=B%2B%2F%3D");
        assert_eq!(door.hub.as_deref(), Some("chat"));
    }
}
