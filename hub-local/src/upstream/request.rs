//! Upstream requests: headers, signature and body.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header::CONTENT_TYPE};
use hub_core::{
    Secret,
    protocol::Protocol,
    signature,
    upstream::{
        CATEGORY, CLIENT_QUERY, CONNECTED, CONNECTION_ID, CONNECTIONS, DISCONNECTED, EVENT, HUB,
        REQUEST_ID, SIGNATURE, USER_CLAIMS, USER_ID, WEBHOOK_PATH,
    },
};
use serde::Serialize;

use crate::{auth::identity::Identity, query::Query};

/// The headers of all upstream requests of a connection. `None` if a value is not valid in a header.
pub(crate) fn connection_headers(
    hub: &str,
    connection_id: &str,
    identity: &Identity,
    query: Query<'_>,
    keys: &[Secret],
) -> Option<HeaderMap> {
    let signatures: Vec<_> = keys.iter().map(|key| signature::sign(key, connection_id)).collect();
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION_ID, HeaderValue::from_str(connection_id).ok()?);
    headers.insert(HUB, HeaderValue::from_str(hub).ok()?);
    headers.insert(SIGNATURE, HeaderValue::from_str(&signatures.join(",")).ok()?);
    if let Some(user) = &identity.user {
        headers.insert(USER_ID, HeaderValue::from_bytes(user.as_bytes()).ok()?);
    }
    if let Some(claims) = &identity.claims {
        headers.insert(USER_CLAIMS, claims.clone());
    }
    let query = query.without("access_token");
    if !query.is_empty() {
        let query = HeaderValue::from_bytes(format!("?{query}").as_bytes()).ok()?;
        headers.insert(CLIENT_QUERY, query);
    }
    Some(headers)
}

/// The `connected` request.
pub(crate) fn connected(headers: &HeaderMap) -> Request<Bytes> {
    let body = Bytes::from_static(b"{\"type\":10}");
    event(headers, CONNECTED, body)
}

/// The `disconnected` request.
pub(crate) fn disconnected(headers: &HeaderMap, error: Option<&str>) -> Option<Request<Bytes>> {
    /// Azure SignalR Service writes these two names in Pascal case, but `type` of `connected` in lower case.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        r#type: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    let body = serde_json::to_vec(&Body { r#type: 11, error }).ok()?;
    Some(event(headers, DISCONNECTED, body.into()))
}

/// Sets the id by which the app recognizes a repetition of this request.
pub(crate) fn number(request: &mut Request<Bytes>, id: u64) {
    request.headers_mut().insert(REQUEST_ID, HeaderValue::from(id));
}

/// A request of the category `connections`, always in JSON.
fn event(headers: &HeaderMap, event: &'static str, body: Bytes) -> Request<Bytes> {
    let mut headers = headers.clone();
    headers.insert(CATEGORY, HeaderValue::from_static(CONNECTIONS));
    headers.insert(EVENT, HeaderValue::from_static(event));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(Protocol::Json.content_type()));
    post(headers, body)
}

/// A request to the path of upstream calls.
pub(super) fn post(headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(WEBHOOK_PATH);
    *request.headers_mut() = headers;
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::token_options::TokenOptions,
        upstream::in_process::{ClientCall, ConnectionFacts},
    };

    fn headers(identity: &Identity, query: &str) -> HeaderMap {
        let keys = [
            Secret::from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"),
            Secret::from("secondary-key-for-tests-000000000000000000"),
        ];
        connection_headers("chat", "conn-0001", identity, Query::new(Some(query)), &keys).unwrap()
    }

    #[test]
    fn each_key_makes_one_signature() {
        let headers = headers(
            &Identity { user: None, claims: None, token_options: TokenOptions::default() },
            "",
        );

        assert_eq!(
            headers[SIGNATURE],
            "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1,\
             sha256=04BE5150C28567D5F39FE8B326F43F49220DAED6EFFB73097C14EBEF24EE7097"
        );
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn the_query_keeps_its_question_mark_and_loses_the_token() {
        let user = Some("Zoë".to_owned());
        let identity = Identity { user, claims: None, token_options: TokenOptions::default() };

        let headers = headers(&identity, "hub=chat&access_token=secret&id=x");

        assert_eq!(headers[CLIENT_QUERY], "?hub=chat&id=x");
        assert_eq!(headers[USER_ID].as_bytes(), "Zoë".as_bytes());
    }

    #[test]
    fn bodies_have_the_bytes_of_the_service() {
        let headers = HeaderMap::new();
        let call = ClientCall {
            connection: &ConnectionFacts::new(headers.clone()),
            protocol: Protocol::Json,
            request_id: 5,
            invocation_id: Some("7"),
            target: "größe",
            arguments: Bytes::from_static(b"[1, 2]"),
        };

        let message = call.into_request();

        let text = "{\"type\":1,\"invocationId\":\"7\",\"target\":\"größe\",\"arguments\":[1, 2]}";
        assert_eq!(message.body(), text);
        assert_eq!(message.headers()[EVENT].as_bytes(), "größe".as_bytes());
        assert_eq!(message.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(connected(&headers).body(), "{\"type\":10}");
        assert_eq!(disconnected(&headers, None).unwrap().body(), "{\"Type\":11}");
        let with_error = disconnected(&headers, Some("e")).unwrap();
        assert_eq!(with_error.body(), "{\"Type\":11,\"Error\":\"e\"}");
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn bodies_of_messagepack_clients_have_six_elements_and_no_length() {
        let call = ClientCall {
            connection: &ConnectionFacts::new(HeaderMap::new()),
            protocol: Protocol::MessagePack,
            request_id: 5,
            invocation_id: Some("7"),
            target: "Add",
            arguments: Bytes::from_static(&[0x92, 1, 2]),
        };

        let message = call.into_request();

        assert_eq!(&message.body()[..], b"\x96\x01\x80\xa17\xa3Add\x92\x01\x02\x90");
        assert_eq!(message.headers()[CONTENT_TYPE], "application/x-msgpack");
    }
}
