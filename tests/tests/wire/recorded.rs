//! Recordings of an app whose clients use groups, claims, client results and both protocols, and their replays.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use hub_core::protocol::{Message, Protocol};
use hub_local::{
    EventTap, HttpUpstream, LocalService, RecordFile,
    replay::{Recording, Replay, Report},
};
use hub_runtime::{HubApp, SignalR, prelude::*};
use serde_json::{Value, json};
use test_support::{Client, answer, serve, within};
use tokio::{net::TcpListener, task::JoinSet};

const KEY: &str = "a-key-of-this-test-0123456789abcdefghij";
const FUNCTION_KEY: &str = "function-key-0123456789abcdef";

#[hub_client]
trait RoomClient {
    async fn said(&self, text: &str);
    async fn confirm(&self, question: &str) -> bool;
}

/// `greeting` is what a changed app changes.
struct Room {
    greeting: &'static str,
}

#[serverless_hub(client = RoomClient)]
#[filter(SignedIn)]
impl Room {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let user = request.bearer_token().or_reject("who are you?")?;
        Ok(Negotiation::user(user).claim("name", "Bob, role: admin").claim("role", "reader"))
    }

    async fn join(&self, ctx: &Context<Self>, room: String) -> HubResult<String> {
        ctx.groups().add(ctx.connection_id(), &room).await?;
        Ok(format!("{} {room}", self.greeting))
    }

    async fn say(&self, ctx: &Context<Self>, room: String, text: String) -> HubResult<usize> {
        ctx.clients().group(room).said(&text).await?;
        Ok(text.len())
    }

    async fn who(&self, ctx: &Context<Self>) -> HubResult<Vec<String>> {
        let claims = ctx.claims().iter().map(|(name, value)| format!("{name}={value}"));
        Ok(std::iter::once(ctx.connection_id().to_owned()).chain(claims).collect())
    }

    async fn open_room(&self, ctx: &Context<Self>) -> HubResult<bool> {
        Ok(ctx.clients().caller().confirm("Open the room?").await?)
    }

    async fn sum(&self, numbers: Vec<u64>) -> HubResult<u64> {
        Ok(numbers.iter().fold(0, |sum, number| sum.wrapping_add(*number)))
    }

    async fn bytes(&self, bytes: serde_bytes::ByteBuf) -> HubResult<serde_bytes::ByteBuf> {
        Ok(bytes)
    }

    async fn refuse(&self) -> HubResult {
        Err(HubError::denied("not today"))
    }
}

/// A service at a fixed address, and an app that calls it over HTTP.
struct Place {
    address: SocketAddr,
}

impl Place {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { address: listener.local_addr().unwrap() }
    }

    async fn app(&self, greeting: &'static str) -> (HubApp, String, JoinSet<()>) {
        let string = format!(
            "Endpoint=http://127.0.0.1;Port={};AccessKey={KEY};Version=1.0;",
            self.address.port()
        );
        let signalr = SignalR::from_connection_string(&string).unwrap();
        let app = HubApp::builder().signalr(signalr).hub(Room { greeting }).build().unwrap();
        let (address, serving) = serve(&app).await;
        let url = format!("http://{address}/runtime/webhooks/signalr?code={FUNCTION_KEY}");
        (app, url, serving)
    }

    async fn serve(&self, service: &LocalService) -> JoinSet<()> {
        let listener = within("the port is free", async {
            loop {
                match hub_local::listen(self.address) {
                    Ok(listener) => return listener,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        let mut serving = JoinSet::new();
        let serve = service.serve(listener);
        serving.spawn(async move { serve.await.unwrap() });
        serving
    }

    fn builder(&self, upstream: &str) -> hub_local::LocalServiceBuilder {
        LocalService::builder()
            .key(KEY)
            .public_url(format!("http://{}", self.address))
            .upstream(HttpUpstream::new(upstream).unwrap())
    }

    /// Replays against an app with this greeting.
    async fn replay(&self, file: &PathBuf, greeting: &'static str) -> Report {
        let (_app, url, _serving) = self.app(greeting).await;
        let tap = Arc::new(EventTap::default());
        let events = tap.open();
        let service = self.builder(&url).record_to(tap).build();
        let _listening = self.serve(&service).await;
        let recording = Recording::open(file).unwrap();
        let report = Replay::new(&service, events).run(&recording).await.unwrap();
        service.shutdown().await;
        report
    }
}

async fn negotiate(app: &HubApp, user: &str) -> (String, String) {
    let request = http::Request::post("/room/negotiate?negotiateVersion=1")
        .header("authorization", format!("Bearer {user}"))
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    let negotiated: Value = serde_json::from_str(&answer(app, request).await.body).unwrap();
    let text = |name: &str| negotiated[name].as_str().unwrap().to_owned();
    (text("url"), text("accessToken"))
}

/// A run with a client over a WebSocket and one with MessagePack. Returns the tokens of the clients.
async fn run(place: &Place, file: &PathBuf) -> Vec<String> {
    let (app, url, _serving) = place.app("welcome to").await;
    let service = place.builder(&url).record(RecordFile::create(file).unwrap()).build();
    let _listening = place.serve(&service).await;

    let (url, ada_token) = negotiate(&app, "ada").await;
    let mut ada = Client::web_socket(&url, &ada_token).await.unwrap();
    ada.handshake().await;
    for (method, arguments) in [
        ("join", json!(["lobby"])),
        ("who", json!([])),
        ("sum", json!([[u64::MAX, 3]])),
        ("refuse", json!([])),
        ("missing", json!([])),
    ] {
        ada.invoke(method, arguments).await;
    }
    ada.begin("ask", "openRoom", json!([])).await;
    let question = ada.recv().await;
    ada.complete(&question, json!(true)).await;
    assert_eq!(ada.recv().await["result"], true);

    let (url, bob_token) = negotiate(&app, "bob").await;
    let mut bob = Client::in_memory(service.connect_memory(&url, &bob_token).unwrap());
    bob.handshake_as("messagepack").await;
    let call = Message::Invocation {
        invocation_id: Some("7".to_owned()),
        target: "bytes".to_owned(),
        arguments: bytes::Bytes::from_static(b"\x91\xc4\x03abc"),
        stream_ids: Vec::new(),
        trace: None,
    };
    bob.memory().send(Protocol::MessagePack.encode(&call)).await.unwrap();
    within("an answer", bob.memory().recv()).await.unwrap();
    // Everyone in the lobby hears a client that joins later.
    ada.invoke_among_others("say", json!(["lobby", "hi"])).await;
    drop((ada, bob));
    service.shutdown().await;
    vec![ada_token, bob_token]
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("serverless-hub-{name}-{}.jsonl", std::process::id()))
}

#[tokio::test]
async fn a_recorded_run_has_the_same_answers_again_and_a_changed_app_has_not() {
    let (place, file) = (Place::new().await, temporary("recorded"));
    let tokens = run(&place, &file).await;
    let text = std::fs::read_to_string(&file).unwrap();

    let same = place.replay(&file, "welcome to").await;
    let changed = place.replay(&file, "go away from").await;
    std::fs::remove_file(&file).unwrap();

    assert!(same.differences.is_empty() && same.left_out.is_empty(), "{same}");
    assert!(same.compared >= 12, "{same}");
    let [difference] = &changed.differences[..] else { panic!("{changed}") };
    assert_eq!(difference.method, "join");
    assert_eq!(difference.recorded, "200 {\"result\":\"welcome to lobby\"}");
    assert_eq!(difference.replayed, "200 {\"result\":\"go away from lobby\"}");
    // Secrets of the run: keys, tokens, their parts, and the seals in them.
    let mut secrets = vec![KEY.to_owned(), FUNCTION_KEY.to_owned()];
    for token in &tokens {
        secrets.push(token.clone());
        secrets.extend(token.split('.').map(str::to_owned));
        let claims: Value =
            serde_json::from_slice(&decode(token.split('.').nth(1).unwrap())).unwrap();
        let seal = claims["shub"].as_str().unwrap();
        secrets.extend(seal.split('.').skip(1).map(str::to_owned));
    }
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} is in the recording");
    }
    for shown in ["\"role\"", "reader", "Bob, role: admin", "$binary", "client_result", "$int"] {
        assert!(text.contains(shown), "{shown} is not in the recording");
    }
}

/// Base64 without padding, with the alphabet for URLs.
fn decode(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let mut bits = (0_u32, 0);
    let mut bytes = Vec::new();
    for byte in text.bytes() {
        bits = (bits.0 << 6 | u32::from(digit(byte)), bits.1 + 6);
        if bits.1 >= 8 {
            bits.1 -= 8;
            bytes.push((bits.0 >> bits.1) as u8);
            bits.0 &= (1 << bits.1) - 1;
        }
    }
    bytes
}
