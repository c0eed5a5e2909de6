//! The fallback, several hubs in one app, and parameters that take a whole message.

use bytes::Bytes;
use http::HeaderValue;
use http_body_util::{BodyExt, Full};
use hub_runtime::{HubApp, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_service::Service;

use crate::support::{answer, builder_at, call, invoke, invoke_as, send};

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    r#type: u8,
    target: String,
    arguments: Vec<u8>,
    invocation_id: Option<String>,
}

struct Loop;

#[serverless_hub]
impl Loop {
    async fn known(&self) -> HubResult<&'static str> {
        Ok("known")
    }

    async fn whole(&self, #[hub(body)] message: Message) -> HubResult<Message> {
        Ok(message)
    }

    /// Returns the properties of the call.
    #[hub(fallback)]
    async fn other(&self, ctx: &Context<Self>) -> HubResult<Vec<String>> {
        let call = ctx.invocation();
        Ok(vec![
            call.hub_name().to_owned(),
            format!("{:?}", call.category()),
            call.event().to_owned(),
            call.connection_id().to_owned(),
            call.user_id().unwrap_or("anonymous").to_owned(),
            call.query().get("room").unwrap_or("no room").to_owned(),
            call.headers()
                .get("x-custom")
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
                .to_owned(),
            call.claims().len().to_string(),
            call.raw_arguments().len().to_string(),
            call.argument::<Option<u8>>(0)?.map_or_else(String::new, |first| first.to_string()),
            format!("{:?}", call.error()),
        ])
    }
}

struct Second;

#[serverless_hub(name = "app.second")]
impl Second {
    async fn known(&self) -> HubResult<&'static str> {
        Ok("second")
    }
}

fn app() -> HubApp {
    builder_at("http://127.0.0.1:1", Loop).hub(Second).build().unwrap()
}

fn with(
    mut request: http::Request<Full<Bytes>>,
    pairs: &[(&'static str, &'static str)],
) -> http::Request<Full<Bytes>> {
    for (name, value) in pairs {
        request.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    request
}

async fn result(request: http::Request<Full<Bytes>>) -> Value {
    let answered = answer(&app(), request).await;
    let completion: Value = serde_json::from_str(answered.body.trim_end_matches('\u{1e}')).unwrap();
    completion["result"].clone()
}

#[tokio::test]
async fn the_fallback_handles_unknown_events_with_the_whole_call() {
    let request = with(
        invoke_as("7", "Other Thing", "[ 7 ]"),
        &[
            ("x-asrs-user-id", "ada"),
            ("x-asrs-client-query", "?room=rust&access_token=t"),
            ("x-custom", "c"),
        ],
    );

    let seen = result(request).await;

    let expected =
        ["loop", "Message", "Other Thing", "conn-0001", "ada", "rust", "c", "0", "5", "7", "None"];
    assert_eq!(seen, serde_json::json!(expected));
    assert_eq!(result(invoke("Known", "[]")).await, "known");
    assert_eq!(answer(&app(), send("unheard", "[1]")).await.status, 200);
}

#[tokio::test]
async fn the_fallback_does_not_handle_connection_events() {
    let connected = answer(&app(), call("connections", "connected", r#"{"type":10}"#)).await;
    let odd = answer(&app(), call("connections", "odd", r#"{"type":10}"#)).await;

    assert_eq!((connected.status.as_u16(), odd.status.as_u16()), (200, 404));
}

#[tokio::test]
async fn several_hubs_share_an_app_and_one_has_a_name_of_its_own() {
    let second = with(invoke("known", "[]"), &[("x-asrs-hub", "APP.Second")]);

    assert_eq!(result(second).await, "second");
    assert_eq!(result(invoke("known", "[]")).await, "known");
}

#[tokio::test]
async fn a_message_binds_to_one_type_in_json() {
    let whole = result(invoke_as("7", "whole", "[1,2]")).await;

    let message = Message {
        r#type: 1,
        target: "whole".to_owned(),
        arguments: vec![1, 2],
        invocation_id: Some("7".to_owned()),
    };
    assert_eq!(serde_json::from_value::<Message>(whole).unwrap(), message);
}

#[tokio::test]
async fn a_message_binds_to_one_type_in_messagepack() {
    let body = Bytes::from_static(b"\x95\x01\x80\xa17\xa5whole\x92\x01\x02");
    let packed = call("messages", "whole", "").map(|_| Full::new(body));
    let packed = with(packed, &[("content-type", "application/x-msgpack")]);

    let Ok(answered) = app().service().call(packed).await;

    let completion = answered.into_body().collect().await.unwrap().to_bytes();
    let expected: &[u8] =
        b"\x84\xa4type\x01\xa6target\xa5whole\xa9arguments\x92\x01\x02\xacinvocationId\xa17";
    assert!(completion.ends_with(expected), "{completion:x?}");
}
