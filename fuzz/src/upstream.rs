//! Requests to the upstream endpoint. Each request must get a response. A method may run only if the
//! service signed the call. The claims of the call must come from a seal for the hub and user, unless the
//! app trusts plain claims, or accepts user ids without a seal. The result of a method must reach its caller unchanged.

use std::cell::RefCell;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hub_core::{
    Claims,
    protocol::{Message, Outcome, Protocol, frame::Frames},
    seal::{self, Identity, SealKey},
    signature,
};
use hub_runtime::{HubApp, prelude::*};
use serde::Deserialize;
use serde_json::{Map, Value};
use tower_service::Service;

use crate::{
    pieces::{first_line, holds},
    values::same,
    world::{self, FOREIGN_KEY, KEY, key, settle},
    written,
};

/// Maximum size of a request body in bytes. It is small, so that small inputs can exceed it.
const MAX_BODY: usize = 4096;
/// The role that only the seals of this target contain.
const ROLE: (&str, &str) = ("role", "keeper");

/// The caller of a method that ran.
#[derive(Debug)]
struct Ran {
    connection_id: String,
    user_id: Option<String>,
    claims: Claims,
}

thread_local! {
    static RAN: RefCell<Vec<Ran>> = const { RefCell::new(Vec::new()) };
}

/// A hub with a method for each way of binding arguments.
struct Fuzzed;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    _title: String,
    #[serde(default)]
    _tags: Vec<String>,
    #[serde(default)]
    _at: Option<f64>,
}

fn note(ctx: &Context<Fuzzed>) {
    let ran = Ran {
        connection_id: ctx.connection_id().to_owned(),
        user_id: ctx.user_id().map(str::to_owned),
        claims: ctx.claims().clone(),
    };
    let _ = ctx.invocation().query().iter().count();
    RAN.with_borrow_mut(|all| all.push(ran));
}

#[serverless_hub(name = "chat")]
impl Fuzzed {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        note(ctx);
        Ok(())
    }

    async fn on_disconnected(&self, ctx: &Context<Self>, error: Option<String>) -> HubResult {
        note(ctx);
        error.map_or(Ok(()), |error| Err(HubError::rejected(error)))
    }

    async fn echo(&self, ctx: &Context<Self>, value: Value) -> HubResult<Value> {
        note(ctx);
        ctx.clients().all().send("said", (&value,)).await?;
        Ok(value)
    }

    async fn add(&self, ctx: &Context<Self>, left: i64, right: u8) -> HubResult<i64> {
        note(ctx);
        left.checked_add(right.into()).ok_or_else(|| HubError::rejected("too much"))
    }

    async fn keep(&self, ctx: &Context<Self>, note_: Note, often: Option<f32>) -> HubResult<f32> {
        note(ctx);
        drop(note_);
        Ok(often.unwrap_or_default())
    }

    async fn bytes(&self, ctx: &Context<Self>, text: String, flag: bool) -> HubResult<Vec<u8>> {
        note(ctx);
        Ok(if flag { text.into_bytes() } else { Vec::new() })
    }

    #[filter(RequireClaim("role", "keeper"))]
    async fn guarded(&self, ctx: &Context<Self>, group: String) -> HubResult {
        note(ctx);
        assert!(ctx.claims().has(ROLE.0, ROLE.1));
        Ok(ctx.groups().add(ctx.connection_id(), &group).await?)
    }
}

/// What the app accepts from a caller without a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    PlainClaims,
    UserIds,
    /// Nothing: the default for a hub with a `negotiate`.
    Seals,
}

/// Handles the requests of an input, one after another. The first line configures the app.
pub fn run(data: &[u8]) {
    // The fuzzer may copy the key from the binary, which would make the checks below fail.
    if holds(data, KEY) {
        return;
    }
    let (setup, rest) = first_line(data);
    world::run(with_app(setup, rest));
}

async fn with_app(setup: &[u8], data: &[u8]) {
    let trust = match (setup.contains(&b't'), setup.contains(&b's')) {
        (true, _) => Trust::PlainClaims,
        (false, true) => Trust::Seals,
        (false, false) => Trust::UserIds,
    };
    let signalr = hub_runtime::fuzzing::in_memory(KEY);
    let signalr = match trust {
        Trust::PlainClaims => signalr.trust_plain_claims(),
        Trust::UserIds => signalr.accept_unsealed_tokens(),
        Trust::Seals => signalr,
    };
    let mut builder = HubApp::builder().signalr(signalr).hub(Fuzzed).max_body(MAX_BODY);
    if setup.contains(&b'c') {
        builder = builder.upstream_code("s3cret");
    }
    if setup.contains(&b'p') {
        builder = builder.upstream_path("/hooks/{hub}/{category}/{event}").route_prefix("api");
    }
    let app = builder.build().expect("the app is built");
    for text in written::requests(data) {
        let mut seals = Vec::new();
        let made = written::request(text, &mut |request, name| make(request, name, &mut seals));
        let Some(request) = made else { continue };
        check(&app, request, &seals, trust).await;
        // Repeats the request with a signature of another key: no method may run.
        let forged = written::request(text, &mut |request, name| match name {
            "sig" => make(request, "foreign", &mut seals),
            name => make(request, name, &mut seals),
        });
        if let Some(forged) = forged {
            check(&app, forged, &seals, trust).await;
        }
    }
}

/// Replaces a placeholder. `{sig}` is the signature of the connection id, and `{foreign}` is its signature
/// with another key. `{seal:hub:user}` is a valid seal. If the user is empty, the seal is for an anonymous
/// client.
fn make(
    request: &Request<Full<Bytes>>,
    name: &str,
    seals: &mut Vec<(String, Identity)>,
) -> Option<String> {
    let id = || {
        let id = request.headers().get("x-asrs-connection-id")?;
        std::str::from_utf8(id.as_bytes()).ok()
    };
    match name.split_once(':') {
        None if name == "sig" => Some(signature::sign(&key(), id()?)),
        None if name == "foreign" => Some(signature::sign(&FOREIGN_KEY.into(), id()?)),
        Some(("seal", whose)) => {
            let (hub, user) = whose.split_once(':')?;
            let claims = [(ROLE.0, ROLE.1), ("name", "Ada, role: admin")];
            let identity = Identity {
                hub: hub.to_owned(),
                user_id: Some(user.to_owned()).filter(|user| !user.is_empty()),
                issued_at: 1,
                claims: claims.map(|(n, v)| (n.to_owned(), v.to_owned())).into_iter().collect(),
            };
            let sealed = seal::seal(&identity, &SealKey::derive(&key()));
            seals.push((sealed.clone(), identity));
            Some(sealed)
        }
        _ => None,
    }
}

async fn check(
    app: &HubApp,
    request: Request<Full<Bytes>>,
    seals: &[(String, Identity)],
    trust: Trust,
) {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let Ok(said) = request.body().clone().collect().await;
    let Ok(answer) = app.service().call(request).await;
    let (parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    settle().await;
    assert!(parts.status.as_u16() < 500, "{}", parts.status);
    assert!(!holds(&body, KEY), "a response contains the key");
    let ran = RAN.with_borrow_mut(std::mem::take);
    assert!(ran.len() <= 1, "one call ran several methods");
    for ran in &ran {
        assert_eq!(method, Method::POST);
        assert!(is_signed(&headers, &ran.connection_id), "a call without a signature ran");
        is_who_it_says(&headers, ran, seals, trust);
    }
    if parts.status == StatusCode::OK && parts.headers.contains_key("content-type") {
        let is_echo = headers.get("x-asrs-event").is_some_and(|event| event == "echo");
        let result = completion(&parts.headers, &body).filter(|_| is_echo && ran.len() == 1);
        if let Some(result) = result {
            is_echo_of(&result, &said.to_bytes());
        }
    }
}

/// Whether the request has exactly one connection id, and the signature of that id.
fn is_signed(headers: &HeaderMap, connection_id: &str) -> bool {
    let mut ids = headers.get_all("x-asrs-connection-id").iter();
    let alone = ids.next().is_some_and(|id| id.as_bytes() == connection_id.as_bytes());
    let signature = signature::sign(&key(), connection_id).to_ascii_lowercase();
    let mut lines = headers.get_all("x-asrs-signature").iter();
    alone
        && ids.next().is_none()
        && lines.any(|line| holds(&line.as_bytes().to_ascii_lowercase(), &signature))
}

/// Checks that the claims come from a seal for this hub and user. Without such a seal there must be
/// no claims, unless the app trusts plain claims.
fn is_who_it_says(headers: &HeaderMap, ran: &Ran, seals: &[(String, Identity)], trust: Trust) {
    let header = |name| headers.get(name).map_or(&b""[..], |value| value.as_bytes());
    let mut genuine = seals.iter().filter(|(sealed, identity)| {
        let lines = headers.get_all("x-asrs-user-claims");
        lines.iter().any(|line| holds(line.as_bytes(), sealed))
            && identity.hub.as_bytes().eq_ignore_ascii_case(header("x-asrs-hub"))
            && identity.user_id == ran.user_id
            && identity.claims == ran.claims
    });
    if genuine.next().is_none() {
        let user = ran.user_id.as_deref().unwrap_or_default();
        assert_eq!(user.as_bytes(), header("x-asrs-user-id"), "the user differs from the header");
        assert_ne!(trust, Trust::Seals, "a call without a seal is accepted");
        let trusting = trust == Trust::PlainClaims;
        assert!(trusting || ran.claims.is_empty(), "claims without a seal are accepted");
    }
}

/// Checks that the body is one completion in the protocol of its content type, because the service
/// forwards it to the client. Returns the result of a JSON completion.
fn completion(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let content_type =
        headers["content-type"].to_str().expect("the response has a known content type");
    let protocol = Protocol::from_content_type(content_type)?;
    let mut frames = Frames::new(usize::MAX);
    frames.switch_to(protocol);
    frames.push(body);
    // A negotiate response is JSON, too, but contains no frame.
    let frame = frames.next_frame().expect("the frame is valid")?;
    let message = protocol
        .parse(&frame)
        .expect("the completion is valid")
        .expect("the message type is known");
    assert!(frames.is_empty(), "bytes follow the completion");
    let Message::Completion { outcome, .. } = message else { panic!("{message:?}") };
    match outcome {
        Outcome::Result(value) if protocol == Protocol::Json => {
            Some(serde_json::from_slice(&value).expect("JSON"))
        }
        _ => None,
    }
}

/// Checks that the method has returned its only argument.
fn is_echo_of(result: &Value, said: &[u8]) {
    let said = said.strip_suffix(b"\x1e").unwrap_or(said);
    // The app may skip an out-of-range number in an unused member, but `Value` cannot represent it.
    let Ok(said) = serde_json::from_slice::<Map<String, Value>>(said) else { return };
    let mut arguments = said.iter().filter(|(name, _)| name.eq_ignore_ascii_case("arguments"));
    // If `arguments` occurs in several spellings, the app uses the last one. The map does not keep
    // their order.
    if let (Some((_, arguments)), None) = (arguments.next(), arguments.next()) {
        let argument = arguments.get(0).unwrap_or(&Value::Null);
        assert!(same(argument, result), "{result} for {argument}");
    }
}
