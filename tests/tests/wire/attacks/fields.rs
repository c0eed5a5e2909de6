//! Every field that an attacker controls in upstream calls and negotiate requests. The app responds
//! to each request with a specific status and continues to work.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use hub_runtime::{negotiate::NegotiateLimit, prelude::*};
use serde_json::Value;

use crate::support::{
    AppResponse, answer, app, builder_at,
    sealed::{call, invoke},
};

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(match request.bearer_token().or(request.query().get("user")) {
            Some(user) => Negotiation::user(user),
            None => Negotiation::anonymous(),
        })
    }

    async fn any(&self, value: Value) -> HubResult<bool> {
        Ok(value.is_null())
    }

    async fn text(&self, text: String) -> HubResult<usize> {
        Ok(text.len())
    }
}

/// Header values that an attacker may send.
fn values() -> Vec<Vec<u8>> {
    let long = |byte: u8, length| vec![byte; length];
    vec![
        b"".to_vec(),
        b" ".to_vec(),
        b",,,;;;===".to_vec(),
        b"..".to_vec(),
        b"%00%2e%2e/%2F".to_vec(),
        b"null".to_vec(),
        b"18446744073709551616".to_vec(),
        b"-1".to_vec(),
        "🦀 grüße".as_bytes().to_vec(),
        vec![0xFF, 0xFE, 0x80],
        b"a\tb".to_vec(),
        long(b'a', 100_000),
        long(b',', 100_000),
        long(0xC3, 10_000),
    ]
}

const HEADERS: [&str; 12] = [
    "x-asrs-connection-id",
    "x-asrs-hub",
    "x-asrs-category",
    "x-asrs-event",
    "x-asrs-signature",
    "x-asrs-user-id",
    "x-asrs-user-claims",
    "x-asrs-client-query",
    "content-type",
    "content-length",
    "authorization",
    "x-forwarded-for",
];

const EXPECTED: [u16; 6] = [200, 400, 401, 404, 413, 415];

#[tokio::test]
async fn upstream_headers_may_be_arbitrary_missing_or_duplicated() {
    let app = app(Loop);
    for name in HEADERS {
        for value in values() {
            let value = HeaderValue::from_bytes(&value).unwrap();
            let mut instead = invoke("any", "[null]");
            instead.headers_mut().insert(name, value.clone());
            let mut beside = invoke("any", "[null]");
            beside.headers_mut().append(name, value);
            for request in [instead, beside] {
                let status = answer(&app, request).await.status.as_u16();
                assert!(EXPECTED.contains(&status), "{name}: {status}");
            }
        }
        let mut without = invoke("any", "[null]");
        without.headers_mut().remove(name);
        let status = answer(&app, without).await.status.as_u16();
        assert!(EXPECTED.contains(&status), "without {name}: {status}");
    }
    // The app accepts only the names of this hub and its methods. The other requests have no effect
    // on a genuine call.
    assert!(answer(&app, invoke("any", "[null]")).await.body.contains("true"));
}

async fn in_json(body: &[u8]) -> AppResponse {
    let request = call("messages", "any", "").map(|_| Full::new(Bytes::copy_from_slice(body)));
    answer(&app(Loop), request).await
}

async fn status_in_messagepack(body: &[u8]) -> u16 {
    let mut request = call("messages", "any", "").map(|_| Full::new(Bytes::copy_from_slice(body)));
    let packed = HeaderValue::from_static("application/x-msgpack");
    request.headers_mut().insert("content-type", packed);
    let Ok(answer) = tower_service::Service::call(&mut app(Loop).service(), request).await;
    answer.status().as_u16()
}

#[tokio::test]
async fn a_body_truncated_at_any_byte_is_400() {
    let json = br#"{"type":1,"invocationId":"7","target":"any","arguments":[{"a":"\u00e9"}]}"#;
    let packed = b"\x96\x01\x80\xa17\xa3any\x91\x81\xa1a\xc0\x90";
    assert_eq!(in_json(json).await.status, 200);
    assert_eq!(status_in_messagepack(packed).await, 200);

    for length in 0..json.len() {
        assert_eq!(in_json(&json[..length]).await.status, 400, "{length}");
    }
    for length in 0..packed.len() {
        // Older versions of the protocol have no stream ids, the last element. The array's header
        // announces 6 elements, so the cut message is still invalid.
        assert_eq!(status_in_messagepack(&packed[..length]).await, 400, "{length}");
    }
}

#[tokio::test]
async fn deeply_nested_json_in_a_call_is_an_error() {
    let deep = |open: &str, close: &str| open.repeat(10_000) + &close.repeat(10_000);
    for nested in [deep("[", "]"), deep(r#"{"a":"#, "}").replace(":}", ":1}"), "[".repeat(10_000)] {
        let in_arguments =
            format!(r#"{{"type":1,"invocationId":"7","target":"any","arguments":[{nested}]}}"#);
        let beside = format!(
            r#"{{"type":1,"invocationId":"7","x":{nested},"target":"any","arguments":[1]}}"#
        );
        let instead = format!(r#"{{"type":{nested}}}"#);
        for body in [in_arguments, beside, instead, nested] {
            let answered = in_json(body.as_bytes()).await;
            let is_error = answered.status == 200 && answered.body.contains("\"error\":");
            let is_ignored = answered.status == 200 && answered.body.contains("\"result\":false");
            assert!(answered.status == 400 || is_error || is_ignored, "{answered:?}");
            assert!(answered.body.len() < 1000);
        }
    }
}

#[tokio::test]
async fn a_messagepack_length_of_four_gigabytes_is_an_error_and_reserves_nothing() {
    let head = b"\x96\x01\x80\xa17\xa3any";
    for bomb in [
        &b"\xdb\xff\xff\xff\xff"[..], // a text
        b"\xdd\xff\xff\xff\xff",      // an array
        b"\xdf\xff\xff\xff\xff",      // a map
        b"\xc6\xff\xff\xff\xff",      // bytes
        b"\xc9\xff\xff\xff\xff\x01",  // an extension
    ] {
        for body in [
            [head, bomb].concat(),
            [head, &b"\x91"[..], bomb].concat(),
            [&b"\x96\x01\x80"[..], bomb].concat(),
            [&b"\x96\x01"[..], bomb].concat(),
            bomb.to_vec(),
        ] {
            assert_eq!(status_in_messagepack(&body).await, 400, "{body:x?}");
        }
    }
    let deep = [head, &[0x91; 10_000][..], b"\xc0\x90"].concat();
    assert_eq!(status_in_messagepack(&deep).await, 400);
}

#[tokio::test]
async fn garbage_and_bodies_of_another_kind_are_400_or_415() {
    for body in [&b"\0"[..], b"\xff\xfe", b"null", b"\"text\"", b"{}{}", b"<xml/>", b"a=b&c=d"] {
        assert_eq!(in_json(body).await.status, 400, "{body:x?}");
        assert_eq!(status_in_messagepack(body).await, 400, "{body:x?}");
    }
    for kind in ["text/html", "multipart/form-data", "application/x-www-form-urlencoded", "*/*"] {
        let mut request = invoke("any", "[null]");
        request.headers_mut().insert("content-type", HeaderValue::from_str(kind).unwrap());
        assert_eq!(answer(&app(Loop), request).await.status, 415, "{kind}");
    }
}

#[tokio::test]
async fn events_targets_and_ids_may_contain_any_characters() {
    let app = app(Loop);
    for name in ["", "..", "a/b", "\u{202e}gnp", "🦀", "negotiate", "on_connected", "%2e%2e"] {
        let body = serde_json::json!({
            "type": 1, "invocationId": name, "target": name, "arguments": []
        });
        let mut request = call("messages", "x", &body.to_string());
        let event = HeaderValue::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert("x-asrs-event", event);

        let answered = answer(&app, request).await;

        if name.is_empty() {
            assert_eq!(answered.status, 400);
            continue;
        }
        let completion: Value =
            serde_json::from_str(answered.body.trim_end_matches('\u{1e}')).unwrap();
        assert_eq!(completion["error"], format!("Unknown hub method '{name}'"));
        assert_eq!(completion["invocationId"], name);
    }
}

fn negotiate(target: &str) -> http::request::Builder {
    Request::post(target).header("origin", "https://app.example")
}

#[tokio::test]
async fn arbitrary_negotiate_requests_get_a_defined_response() {
    let app = app(Loop);
    let long = "x".repeat(60_000);
    for query in [&*format!("user={long}"), "&&&==%%%25%zz", "user=%ff%00", "a[]=1&a=2&user", ""] {
        let request = negotiate(&format!("/loop/negotiate?{query}")).body(Full::<Bytes>::default());
        let status = answer(&app, request.unwrap()).await.status.as_u16();
        assert!([200, 400, 413, 500].contains(&status), "{status}");
    }
    for name in ["authorization", "cookie", "origin", "x-ms-client-principal", "x-forwarded-for"] {
        for value in values() {
            let value = HeaderValue::from_bytes(&value).unwrap();
            let request = negotiate("/loop/negotiate").header(name, value);
            let answered = answer(&app, request.body(Full::<Bytes>::default()).unwrap()).await;
            let status = answered.status.as_u16();
            assert!([200, 400, 413].contains(&status), "{name}: {status} {}", answered.body);
        }
        let bearer = negotiate("/loop/negotiate").header("authorization", format!("Bearer {long}"));
        let answered = answer(&app, bearer.body(Full::<Bytes>::default()).unwrap()).await;
        assert!(!answered.status.is_success(), "a user id of 60,000 characters");
    }
    // The app does not read the body of a negotiate request.
    let body = Full::new(Bytes::from(vec![b'x'; 3 << 20]));
    let answered = answer(&app, negotiate("/loop/negotiate").body(body).unwrap()).await;
    assert_eq!(answered.status, 200);
}

#[tokio::test]
async fn a_user_id_with_a_line_break_or_another_control_character_is_refused() {
    let app = app(Loop);
    for user in ["a%0d%0ax-asrs-user-claims:%20role", "a%0a", "%00", "a%7f", "%c2%85"] {
        let request = negotiate(&format!("/loop/negotiate?user={user}"));
        let answered = answer(&app, request.body(Full::<Bytes>::default()).unwrap()).await;

        assert!(!answered.status.is_success(), "{user}: {answered:?}");
        assert!(!answered.body.contains("accessToken"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_negotiate_requests_gets_429_only_for_its_client() {
    let limit = NegotiateLimit::new(10, Duration::from_mins(1)).behind_proxies(1);
    let app = builder_at("http://127.0.0.1:1", Loop).negotiate_limit(limit).build().unwrap();
    let from = |address: String| {
        let request = negotiate("/loop/negotiate").header("x-forwarded-for", address);
        answer(&app, request.body(Full::<Bytes>::default()).unwrap())
    };

    let mut refused = 0;
    for _ in 0..100 {
        let answered = from("10.1.1.1".to_owned()).await;
        if answered.status == 429 {
            assert!(
                answered.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 60
            );
            refused += 1;
        }
    }
    assert_eq!(refused, 90);
    // The table of addresses has a fixed size for any number of addresses: see
    // `hub_core::token_buckets`.
    for number in 0..2000 {
        assert_eq!(from(format!("10.2.{}.{}", number / 250, number % 250)).await.status, 200);
    }
}
