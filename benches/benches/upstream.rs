//! One upstream call in process: verify, open the seal, route, filter, bind, call, frame. And the
//! parts of it that can be had alone.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use http_body_util::Full;
use hub_core::{
    Secret,
    protocol::{Message, Outcome, json},
    seal::{self, Identity, SealKey},
    signature,
};
use hub_runtime::{HubApp, prelude::*};
use tower_service::Service;

const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
const BODY: &str = r#"{"type":1,"invocationId":"7","target":"add","arguments":[1,"two"]}"#;

struct Bench;

#[serverless_hub]
impl Bench {
    #[filter(SignedIn)]
    async fn add(&self, left: i64, right: String) -> HubResult<usize> {
        Ok(usize::try_from(left).unwrap_or_default() + right.len())
    }
}

fn sealed() -> String {
    let identity = Identity {
        hub: "bench".to_owned(),
        user_id: Some("ada".to_owned()),
        issued_at: 1_700_000_000,
        claims: [("role".to_owned(), "moderator".to_owned())].into_iter().collect(),
    };
    seal::seal(&identity, &SealKey::derive(&Secret::from(KEY)))
}

fn request(signature: &str, sealed: &str) -> Request<Full<Bytes>> {
    Request::post("/runtime/webhooks/signalr")
        .header("X-ASRS-Connection-Id", "conn-0001")
        .header("X-ASRS-Hub", "bench")
        .header("X-ASRS-Category", "messages")
        .header("X-ASRS-Event", "add")
        .header("X-ASRS-User-Id", "ada")
        .header("X-ASRS-User-Claims", format!("shub: {sealed}"))
        .header("X-ASRS-Signature", signature)
        .header("Content-Type", "application/json")
        .body(Full::from(Bytes::from_static(BODY.as_bytes())))
        .unwrap()
}

fn upstream(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = format!("Endpoint=http://127.0.0.1:1;AccessKey={KEY};Version=1.0;");
    let signalr = SignalR::connection_string(&text).unwrap();
    let app =
        runtime.block_on(async { HubApp::builder().signalr(signalr).hub(Bench).build() }).unwrap();
    let signature = signature::sign(&Secret::from(KEY), "conn-0001");
    let sealed = sealed();
    let mut service = app.service();
    criterion.bench_function("upstream call, two arguments, one filter", |bencher| {
        bencher.iter(|| {
            let answer = runtime.block_on(service.call(request(&signature, &sealed))).unwrap();
            assert!(answer.status().is_success());
        });
    });
    criterion.bench_function("of it: building the request", |bencher| {
        bencher.iter(|| black_box(request(&signature, &sealed)));
    });
}

fn parts(criterion: &mut Criterion) {
    let keys = [Secret::from(KEY)];
    let signed = signature::sign(&keys[0], "conn-0001");
    criterion.bench_function("signature: verify", |bencher| {
        bencher.iter(|| {
            signature::verify(std::iter::once(signed.as_bytes()), black_box("conn-0001"), &keys)
        });
    });
    let seal_keys = [SealKey::derive(&keys[0])];
    let sealed = sealed();
    criterion.bench_function("seal: open", |bencher| {
        bencher.iter(|| seal::open(black_box(&sealed), &seal_keys).unwrap());
    });
    let frame = Bytes::from_static(BODY.as_bytes());
    criterion.bench_function("JSON: parse an invocation", |bencher| {
        bencher.iter(|| json::parse(black_box(&frame)).unwrap());
    });
    let completion = Message::Completion {
        invocation_id: "7".to_owned(),
        outcome: Outcome::Result(Bytes::from_static(b"42")),
    };
    criterion.bench_function("JSON: frame a completion", |bencher| {
        bencher.iter(|| json::encode(black_box(&completion)));
    });
}

criterion_group!(benches, upstream, parts);
criterion_main!(benches);
