//! Replays the REST calls that were made to Microsoft's emulator, scenario by scenario, with four clients
//! of the same kinds: `a` and `d` report bytes, `b` and `c` report values of JSON and MessagePack.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use hub_core::protocol::{Message, Protocol};
use hub_local::{Limits, LocalService};
use serde::Deserialize;
use serde_json::{Value, json};
use test_support::{KEY, serve_on_loopback, unix_now};

use super::{
    outcome::{Comparison, Mode, Outcome, frames, named_part},
    peer::{Peer, Received},
    read,
    request::Request,
};

/// Longer than the time to live of the membership in the recording, 1 s.
const AFTER_THE_MEMBERSHIP: Duration = Duration::from_secs(2);

/// One line of the recording.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    scenario: String,
    name: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    headers: HashMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    status: u16,
    answer: Option<String>,
    #[serde(default)]
    received: BTreeMap<String, Value>,
    /// Not a call: a client of this user connects.
    connect_user: Option<String>,
}

impl Call {
    fn outcome(&self) -> Outcome {
        Outcome {
            status: self.status,
            answer: named_part(self.answer.as_deref().unwrap_or_default()),
            received: self.received.clone().into_iter().map(frames).collect(),
        }
    }

    /// The recorder sent JSON unless the line contains another content type, or its name is one of these.
    fn content_type(&self) -> Option<&str> {
        match self.headers.get("content-type") {
            Some(content_type) => Some(content_type),
            None if self.name == "type undefined" || self.name.ends_with("no type") => None,
            None => self.body.as_ref().map(|_| "application/json"),
        }
    }
}

/// The hub of one scenario with its clients.
struct Scenario {
    address: SocketAddr,
    hub: String,
    clients: BTreeMap<&'static str, Peer>,
}

impl Scenario {
    async fn start(address: SocketAddr, name: &str) -> Self {
        // Clients of an application connect to the hub with the application as prefix.
        let clients_hub =
            if name == "application" { format!("app_{name}") } else { name.to_owned() };
        let (json, packed) = (Protocol::Json, Protocol::MessagePack);
        let kinds = [("a", Some("ann"), json), ("b", Some("bob"), json)];
        let kinds = kinds.into_iter().chain([("c", Some("ann"), packed), ("d", None, json)]);
        let mut clients = BTreeMap::new();
        for (client, user, protocol) in kinds {
            let peer = Peer::connect(address, &clients_hub, user, protocol).await;
            clients.insert(client, peer);
        }
        Self { address, hub: name.to_owned(), clients }
    }

    async fn play(&mut self, call: &Call) -> Outcome {
        if call.name == "in ttl1 after 3 s" {
            tokio::time::sleep(AFTER_THE_MEMBERSHIP).await;
        }
        let mut target =
            call.path.replace("{h}", &self.hub).replace("{H}", &self.hub.to_uppercase());
        for (client, peer) in &self.clients {
            target = target.replace(&format!("{{{client}}}"), &peer.connection_id);
        }
        let path = target.split('?').next().unwrap().trim_start_matches("http://127.0.0.1");
        let path = String::from_utf8_lossy(&Request::bytes_of(path)).into_owned();
        let claims = json!({ "aud": format!("http://localhost{path}"), "exp": unix_now() + 60 });
        let other = call.headers.iter().filter(|(name, _)| *name != "content-type");
        let mut headers: Vec<_> =
            other.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        headers.extend(call.content_type().map(|it| ("content-type", it)));
        let body = call.body.as_deref().unwrap_or_default().as_bytes();
        let (method, is_chunked) = (call.method.as_str(), false);
        let request = Request { method, target: &target, headers, body, is_chunked };
        let response = request.send(self.address, KEY, &claims).await;

        // Other requests send no message. If one does, it is reported with a later request. `:invoke` sends one
        // and answers 504.
        let may_send = (response.status < 400 || response.status == 504)
            && ["POST", "DELETE"].contains(&method);
        let mut received = BTreeMap::new();
        for (client, peer) in self.clients.iter_mut().filter(|_| may_send) {
            report(client, &peer.received().await, &mut received);
        }
        Outcome::new(&response, received)
    }
}

/// Reports messages as the client of the recording did. `b` and `c` have a handler for `m` only, and report
/// the text of the official client when they are closed.
fn report(client: &str, messages: &[Received], received: &mut BTreeMap<String, Value>) {
    let protocol = if client == "c" { Protocol::MessagePack } else { Protocol::Json };
    let mut reported = Vec::new();
    for message in messages {
        if !["b", "c"].contains(&client) {
            let mut text = String::from_utf8(message.bytes.to_vec()).unwrap();
            if let Some(Message::Invocation { invocation_id: Some(id), .. }) = &message.message {
                text = text.replace(&format!("\"{id}\""), "\"{id}\"");
            }
            reported.push(json!(text));
        } else if let Some(Message::Close { error, .. }) = &message.message {
            let text = error.as_ref().map_or_else(String::new, |error| {
                format!("Server returned an error on close: {error}")
            });
            received.insert(format!("{client}.closed"), json!(text));
        } else if let Some(values) = message.invocation(protocol).filter(|it| it[0] == "m") {
            reported.push(json!(values));
        }
    }
    if !reported.is_empty() {
        received.insert(client.to_owned(), json!(reported));
    }
}

/// Replays the scenarios whose names have this prefix.
async fn replay(service: &LocalService, prefix: &str, mode: Mode) {
    test_support::output::record();
    let address = serve_on_loopback(service).await;
    let mut comparison = Comparison::new(&read("emulator-rest.differences.json"), mode);
    let mut scenario: Option<Scenario> = None;
    let recording = read("emulator-rest.jsonl");
    let calls = recording.lines().map(|line| serde_json::from_str::<Call>(line).unwrap());
    for call in calls.filter(|call| call.scenario.starts_with(prefix)) {
        let playing = match scenario.take() {
            Some(playing) if playing.hub == call.scenario => playing,
            _ => Scenario::start(address, &call.scenario).await,
        };
        let playing = scenario.insert(playing);
        if let Some(user) = &call.connect_user {
            let peer = Peer::connect(address, &playing.hub, Some(user), Protocol::Json).await;
            playing.clients.insert("e", peer);
        } else {
            let ours = playing.play(&call).await;
            let row = format!("{}/{}", call.scenario, call.name);
            comparison.compare(&row, &call.outcome(), &ours);
        }
    }
    comparison.finish();
}

#[tokio::test]
async fn rest_calls_have_the_outcome_of_the_emulator_except_for_the_listed_differences() {
    let service = LocalService::builder().key(KEY).limits(limits()).build();

    replay(&service, "", Mode::Default).await;
}

#[tokio::test]
async fn with_strict_closes_allow_a_reconnect_as_those_of_the_emulator() {
    let service = LocalService::builder().key(KEY).closed_clients_may_reconnect(true);

    replay(&service.build(), "close", Mode::Strict).await;
}

/// The client of the recording does not answer `:invoke`.
fn limits() -> Limits {
    Limits::default().client_result_timeout(Duration::from_millis(100))
}
