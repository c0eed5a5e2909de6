//! No output of the inspector contains a secret of the run.

use http::{Method, Request, header};
use http_body_util::Full;
use hub_core::{Secret, signature};
use hub_local::{HttpUpstream, Inspector, LocalService, Template};
use serde_json::json;
use test_support::Client;

use super::{HOST, Inspected, invoke};
use crate::support::{App, Fixture, KEY, URL, client_token, request_to};

const SECONDARY: &str = "a-secondary-key-of-the-service-0123456789";
const CODE: &str = "a-function-key-0123456789";

/// Negotiates at the service and returns the connection id and the connection token.
async fn negotiate(service: &LocalService, token: &str) -> (String, String) {
    let mut request = Request::new(Full::default());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/client/negotiate?hub=chat&negotiateVersion=1".parse().unwrap();
    let headers = request.headers_mut();
    headers.insert(header::HOST, HOST.parse().unwrap());
    headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let answer = request_to(service, request).await.json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("connectionId"), text("connectionToken"))
}

#[tokio::test]
async fn no_secret_of_a_run_is_in_any_output_of_the_inspector() {
    let url = format!("http://127.0.0.1:9/api?code={CODE}");
    let upstream = HttpUpstream::with_templates([Template::new(url).unwrap()]);
    let service = LocalService::builder()
        .key(KEY)
        .secondary_key(SECONDARY)
        .upstream(upstream)
        .inspector(Inspector::new())
        .build();
    let token = service.inspector_url().unwrap().expose().split_once('#').unwrap().1.to_owned();
    let fixture = Fixture { service: service.clone(), app: App::silent() };
    let inspected = Inspected { fixture, token: token.clone() };
    let given =
        json!({ "hub": "chat", "user": "eve", "claims": [{ "type": "role", "value": "x" }] });
    let given = inspected.post("/inspector/client", &given).await.json();
    let client_token_of_page = given["accessToken"].as_str().unwrap().to_owned();
    let own = client_token("ada");
    let (id, connection_token) = negotiate(&service, &own).await;

    let url = format!("{URL}/client/?hub=chat&id={connection_token}&access_token={own}&room=1");
    let mut client = Client::in_memory(service.connect_memory(&url, &own).unwrap());
    client.handshake().await;
    let page = given["url"].as_str().unwrap();
    let mut other = Client::in_memory(service.connect_memory(page, &client_token_of_page).unwrap());
    other.handshake().await;
    let signed = signature::sign(&Secret::from(KEY), &id);
    invoke(&mut client, "1", "m", json!([KEY, &own, &signed, format!("{url}&code={CODE}")])).await;
    invoke(&mut other, "1", "m", json!([])).await;
    inspected.fixture.send(":send", SECONDARY).await;
    let refused = service.connect_memory(&url, "not a token");
    assert!(refused.is_err());
    inspected.fixture.rest(Method::GET, "none", "").await;

    let mut outputs = vec![inspected.state().await.to_string()];
    for path in
        ["/inspector", "/inspector/events?follow=0", "/inspector/events?follow=0&failures=1"]
    {
        outputs.push(String::from_utf8_lossy(&inspected.get(path).await.body).into_owned());
    }
    let call = inspected.events_of("invocation").await[0]["call"].clone();
    let again = json!({ "action": "run_again", "call": call });
    let again = inspected.post("/inspector/act", &again).await;
    assert_eq!(again.status, 200);
    outputs.push(String::from_utf8_lossy(&again.body).into_owned());
    let seal = payload_claim(&client_token_of_page, "shub");
    let hex = signed.split('=').next_back().unwrap();
    let secrets = [
        KEY,
        SECONDARY,
        CODE,
        &token,
        &own,
        &connection_token,
        &client_token_of_page,
        &seal,
        hex,
        own.rsplit('.').next().unwrap(),
    ];
    for output in &outputs {
        assert!(output.len() > 100);
        for secret in secrets {
            assert!(!output.contains(secret), "{secret} is in {output}");
        }
    }
    assert!(outputs[1..].iter().any(|it| it.contains("room=1")), "the rest of the query is shown");
}

/// A claim of a token.
fn payload_claim(token: &str, name: &str) -> String {
    let keys = [Secret::from(KEY)];
    let claims = hub_core::token::verify(token, &keys, test_support::unix_now(), 0).unwrap();
    claims[name].as_str().unwrap().to_owned()
}
