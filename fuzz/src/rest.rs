//! REST calls of the local service. No call may succeed without a token for its path. Each call must get
//! a response. Clients must receive only hub messages.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use hub_core::{
    Secret,
    protocol::{Message, Protocol, convert},
    token,
};
use hub_local::{Body, LocalService};
use serde_json::{Value, json, value::RawValue};
use tower_service::Service;

use crate::{
    clients::{App, Heard, URL, listener, service},
    pieces::{first_line, holds},
    values::same,
    world::{self, FOREIGN_KEY, KEY, NEVER, key, settle},
    written,
};

/// Tokens, each with the path for which it is valid.
type Minted = Vec<(String, String)>;

/// Sends the requests of an input, one after another. The first line is the result that clients return
/// for client invocations.
pub fn run(data: &[u8]) {
    // The fuzzer may copy the key from the binary, which would make the checks below fail.
    if holds(data, KEY) {
        return;
    }
    let (result, requests) = first_line(data);
    world::run(with_service(result, requests));
}

async fn with_service(result: &[u8], data: &[u8]) {
    let app = App::default();
    let service = service(app.clone());
    let heard = [
        listener(&service, "ada", Protocol::Json, result).await,
        listener(&service, "bob", Protocol::MessagePack, result).await,
    ];
    let ids: Vec<String> = app.told().into_iter().map(|told| told.connection_id).collect();
    for text in written::requests(data) {
        let mut minted = Minted::new();
        let made =
            written::request(text, &mut |request, name| make(request, name, &ids, &mut minted));
        let Some(request) = made else { continue };
        let before = heard.each_ref().map(|heard| heard.all().len());
        check(service.clone(), request, &minted).await;
        if !holds(text, "octet-stream") {
            hear_the_same(&heard, before);
        }
        // Repeats the request with a token of another key.
        let forged = written::request(text, &mut |request, name| match name {
            "token" => make(request, "foreign", &ids, &mut minted),
            name => make(request, name, &ids, &mut minted),
        });
        if let Some(forged) = forged {
            check(service.clone(), forged, &minted).await;
        }
    }
    let health = Request::get("/api/health").body(Full::default()).expect("the request is valid");
    let answer = call(service.clone(), health).await;
    assert_eq!(answer.status(), 200, "the service still responds");
    service.shutdown().await;
}

/// Replaces a placeholder. `{token}` is a token for this path, `{token:/path}` a token for another
/// path, and `{foreign}` a token of an unknown key. `{ada}` and `{bob}` are connection ids.
fn make(
    request: &Request<Full<Bytes>>,
    name: &str,
    ids: &[String],
    minted: &mut Minted,
) -> Option<String> {
    let mut mint = |path: &str, key: Secret| {
        let claims = json!({ "aud": format!("{URL}{path}"), "exp": NEVER });
        let token = token::sign(&claims, &key).ok()?;
        minted.push((token.clone(), path.to_owned()));
        Some(token)
    };
    match name {
        "ada" => ids.first().cloned(),
        "bob" => ids.get(1).cloned(),
        "token" => mint(request.uri().path(), key()),
        "foreign" => {
            let token = mint(request.uri().path(), FOREIGN_KEY.into());
            minted.pop();
            token
        }
        _ => mint(name.strip_prefix("token:")?, key()),
    }
}

async fn check(service: LocalService, request: Request<Full<Bytes>>, minted: &Minted) {
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let answer = call(service, request).await;
    let (parts, body) = answer.into_parts();
    let status = parts.status.as_u16();
    assert!(status < 500 || (status == 504 && path.ends_with(":invoke")), "{status}");
    let is_open =
        ["/api/health", "/api/v1/health"].iter().any(|open| open.eq_ignore_ascii_case(&path));
    if path.starts_with("/api/") && !is_open {
        assert!(
            !parts.status.is_success() || is_let_in(&path, &headers, minted),
            "{status}: {path}"
        );
        let body = body.collect().await.expect("the body is complete").to_bytes();
        // The operation `accessKey` returns the key.
        assert!(path.ends_with("/auth/accessKey") || !holds(&body, KEY), "the key is in an answer");
        let content_type = parts.headers.get("content-type").map(|it| it.as_bytes());
        if content_type == Some(b"application/json") {
            serde_json::from_slice::<&RawValue>(&body).expect("the JSON body is valid");
        }
    }
    settle().await;
}

/// A message that was sent as JSON must have the same content for clients of both protocols.
fn hear_the_same([ada, bob]: &[Heard; 2], [by_ada, by_bob]: [usize; 2]) {
    let (ada, bob) = (ada.all(), bob.all());
    let (
        [Message::Invocation { target: one, arguments: written, .. }],
        [Message::Invocation { target: other, arguments: packed, .. }],
    ) = (&ada[by_ada..], &bob[by_bob..])
    else {
        return;
    };
    assert_eq!(one, other);
    let packed = convert(packed, Protocol::MessagePack, Protocol::Json)
        .expect("the arguments were JSON before");
    let packed: Value = serde_json::from_slice(&packed).expect("JSON");
    // Out-of-range numbers match the JSON grammar, but `Value` cannot represent them.
    if let Ok(written) = serde_json::from_slice::<Value>(written) {
        assert!(same(&written, &packed), "{written} and {packed}");
    }
}

async fn call(mut service: LocalService, request: Request<Full<Bytes>>) -> Response<Body> {
    let Ok(answer) = service.call(request).await;
    answer
}

/// Whether the headers contain a valid token for this path or for an equivalent path.
fn is_let_in(path: &str, headers: &HeaderMap, minted: &Minted) -> bool {
    let header = headers.get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    minted.iter().any(|(token, meant)| {
        let same = meant.eq_ignore_ascii_case(path) || path.contains('%') || meant.contains('%');
        same && holds(header, token)
    })
}
