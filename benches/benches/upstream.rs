//! One upstream call in process: verify, open the seal, route, filter, bind, call, frame. Some
//! of these steps are also measured alone.

#![allow(missing_docs, reason = "the macros of criterion generate undocumented items")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use benches::{bare, binding::Binding, call};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hub_core::{
    Secret,
    protocol::{Message, Outcome, json},
    seal::{self, SealKey},
    signature,
};
use tower_service::Service;

fn upstream(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut service = runtime.block_on(async { call::app() }).unwrap().service();
    let headers = call::headers();
    let request = || call::request(&headers).unwrap();
    criterion.bench_function("upstream call, two arguments, one filter", |bencher| {
        bencher.iter_batched(
            request,
            |request| {
                let answer = runtime.block_on(service.call(request)).unwrap();
                assert!(answer.status().is_success());
            },
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("the same request, bare", |bencher| {
        bencher.iter_batched(
            request,
            |request| runtime.block_on(bare::handle(request)).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let binding = Binding::default();
    criterion.bench_function("of it: routing and binding", |bencher| {
        bencher.iter_batched(
            || binding.parts(),
            |parts| binding.call(parts).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

fn parts(criterion: &mut Criterion) {
    let keys = [Secret::from(call::KEY)];
    let signed = signature::sign(&keys[0], "conn-0001");
    criterion.bench_function("signature: verify", |bencher| {
        bencher.iter(|| {
            signature::verify(std::iter::once(signed.as_bytes()), black_box("conn-0001"), &keys)
        });
    });
    let seal_keys = [SealKey::derive(&keys[0])];
    let sealed = call::sealed();
    criterion.bench_function("seal: open", |bencher| {
        bencher.iter(|| seal::open(black_box(&sealed), &seal_keys).unwrap());
    });
    let frame = Bytes::from_static(call::BODY.as_bytes());
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
