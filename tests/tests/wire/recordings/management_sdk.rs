//! Replays the REST requests of Microsoft's Management SDK.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use bytes::Bytes;
use hub_core::protocol::{Message, Protocol, bundle};
use hub_local::LocalService;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use test_support::{KEY, serve_on_loopback, unix_now};

use super::{peer::Peer, read, request::Request};

const ANOTHER_KEY: &str = "another key of the same length 0123456789ABC";

/// One line of the recording.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    method: String,
    path: String,
    headers: HashMap<String, String>,
    token: Map<String, Value>,
    body: Option<Body>,
    status: u16,
    error_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Text(String),
    Hex {
        hex: String,
    },
    /// A message whose argument is this number of characters `x`.
    Long {
        x: usize,
    },
}

impl Body {
    fn bytes(&self) -> Bytes {
        match self {
            Self::Text(text) => text.clone().into(),
            Self::Hex { hex } => {
                let digits = hex.as_bytes().chunks(2).map(|two| str::from_utf8(two).unwrap());
                digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
            }
            Self::Long { x } => {
                format!(r#"{{"Target":"m","Arguments":["{}"]}}"#, "x".repeat(*x)).into()
            }
        }
    }
}

impl Recorded {
    /// The claims of a new token: the recorded ones with the current time and this audience.
    fn claims(&self, audience: &str) -> Value {
        let now = unix_now();
        let times = [("nbf", now), ("iat", now), ("exp", now + 3600)];
        let mut claims = self.token.clone();
        claims.insert("aud".to_owned(), json!(audience));
        claims.extend(times.map(|(name, time)| (name.to_owned(), json!(time))));
        json!(claims)
    }

    /// The hub with its application, and the name after `users/`, if the service was to know this user.
    fn known_user(&self) -> Option<(String, String)> {
        let (path, query) = self.path.split_once('?')?;
        let [hub, "users", user] =
            path.strip_prefix("/api/hubs/")?.split('/').collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let application = query.split('&').find_map(|pair| pair.strip_prefix("application="));
        let prefix = application.map_or_else(String::new, |it| format!("{it}_"));
        let is_known = self.method == "HEAD" && self.status == 200;
        is_known.then(|| (format!("{prefix}{}", decoded(hub)), decoded(user)))
    }
}

fn decoded(segment: &str) -> String {
    let query = hub_core::Query::parse(&format!("x={}", segment.replace('+', "%2B")));
    query.get("x").unwrap().to_owned()
}

/// The clients of the recording. It does not contain which user a connection has, so `<connection 4>` is
/// `u4`.
struct Clients {
    numbered: BTreeMap<String, Peer>,
    _others: Vec<Peer>,
}

impl Clients {
    async fn connect(address: SocketAddr, recorded: &[Recorded], protocol: Protocol) -> Self {
        let mut numbered = BTreeMap::new();
        for number in (1..=10).chain([311]) {
            let user = format!("u{number}");
            let peer = Peer::connect(address, "mgmthub", Some(&user), protocol).await;
            numbered.insert(format!("<connection {number}>"), peer);
        }
        let mut others = Vec::new();
        let users = recorded.iter().filter_map(Recorded::known_user);
        for (hub, user) in users.filter(|(_, user)| user.trim() == user) {
            others.push(Peer::connect(address, &hub, Some(&user), protocol).await);
        }
        Self { numbered, _others: others }
    }

    fn fill_in(&self, path: &str) -> String {
        let filled = self
            .numbered
            .iter()
            .fold(path.to_owned(), |path, (name, peer)| path.replace(name, &peer.connection_id));
        filled.replace("<connection ", "gone-").replace('>', "")
    }
}

/// The arguments of a message for clients of this protocol, as the SDK wrote them.
fn arguments(body: &Body, protocol: Protocol) -> Option<Bytes> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Sent<'a> {
        #[serde(borrow)]
        arguments: &'a RawValue,
    }
    let bytes = body.bytes();
    if let Body::Hex { .. } = body {
        let entries = bundle::parse(&bytes).unwrap();
        let own = entries.into_iter().find(|(encoding, _)| *encoding == protocol)?;
        let (_, Message::Invocation { arguments, .. }) = own else { panic!("not an invocation") };
        return Some(arguments);
    }
    let sent: Sent<'_> = serde_json::from_slice(&bytes).unwrap();
    (protocol == Protocol::Json).then(|| sent.arguments.get().to_owned().into())
}

async fn replay(protocol: Protocol) {
    test_support::output::record();
    let service = LocalService::builder().key(KEY).build();
    let address = serve_on_loopback(&service).await;
    let lines = read("management-sdk-requests.jsonl");
    let recorded = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    let recorded: Vec<Recorded> = recorded.collect();
    let mut clients = Clients::connect(address, &recorded, protocol).await;
    let mut failures = Vec::new();
    // Users whose ids have white space at an end cannot connect, so the service cannot know them.
    let unknown = |it: &Recorded| it.known_user().is_some_and(|(_, user)| user.trim() != user);
    for request in recorded.iter().filter(|it| !unknown(it)) {
        let target = clients.fill_in(&request.path);
        let body = request.body.as_ref().map(Body::bytes).unwrap_or_default();
        let content_type = request.headers.get("content-type");
        let sent = Request {
            method: &request.method,
            target: &target,
            headers: content_type.map(|it| ("content-type", it.as_str())).into_iter().collect(),
            body: &body,
            is_chunked: request.headers.contains_key("transfer-encoding"),
        };
        // The last request of the recording was made with a wrong key.
        let key = if request.status == 401 { ANOTHER_KEY } else { KEY };
        let audience = clients.fill_in(request.token["aud"].as_str().unwrap());
        let answer = sent.send(address, key, &request.claims(&audience)).await;
        let code = answer.headers.get("x-ms-error-code").map(|it| it.to_str().unwrap().to_owned());
        if (answer.status, &code) != (request.status, &request.error_code) {
            let recorded = (request.status, &request.error_code);
            let line = format!("{} {}", request.method, request.path);
            failures.push(format!("{line}\n  {recorded:?}, now {:?}", (answer.status, code)));
        }
        let receives = |name: &str| request.path.contains(&format!("/connections/{name}/:send"));
        let sent_to = clients.numbered.iter_mut().find(|(name, _)| receives(name));
        if let Some((_, peer)) = sent_to.filter(|_| request.status == 202) {
            // Messages to several clients are unread until here.
            let received = peer.received().await;
            let Some(one) = received.last() else {
                failures.push(format!("{} sent nothing", request.path));
                continue;
            };
            let Some(Message::Invocation { arguments: ours, .. }) = &one.message else { panic!() };
            let wanted = arguments(request.body.as_ref().unwrap(), protocol);
            if wanted.is_some_and(|wanted| wanted != *ours) {
                failures.push(format!("{} received {:?}", request.path, one.bytes));
            }
        }
    }
    assert!(failures.is_empty(), "{} requests\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test]
async fn requests_of_the_management_sdk_are_answered_as_it_expects_for_json_clients() {
    replay(Protocol::Json).await;
}

#[tokio::test]
async fn requests_of_the_management_sdk_are_answered_as_it_expects_for_messagepack_clients() {
    replay(Protocol::MessagePack).await;
}
