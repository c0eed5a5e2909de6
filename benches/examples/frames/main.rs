//! Benchmarks of WebSocket framing in memory, as client and as server: our implementation,
//! tokio-tungstenite and tokio-websockets.
//!
//! `cargo run --release -p benches --example frames -- --bench`
//!
//! This is an example because a bench target would also compile the unit tests of the files included
//! from hub-local.
//!
//! Each iteration reads 1,000 small messages, or writes 1,000 and flushes once. All three
//! implementations create a new stream per iteration.
#![allow(missing_docs, reason = "the macros of criterion generate undocumented items")]
#![allow(dead_code, reason = "the included files of the service are unchanged")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod delivery;
mod memory;
mod websocket;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message as Tungstenite, protocol::Role},
};
use tokio_websockets::{ClientBuilder, Message as Websockets, ServerBuilder};

use self::{
    delivery::frame::Frame,
    memory::Memory,
    websocket::{masked, read_as_client, read_as_server},
};

const MESSAGES: usize = 1000;
const TEXT: u8 = 0x81;

/// A message of the size that the load tool sends and receives with 32-byte payloads.
fn message() -> String {
    let payload = "x".repeat(32);
    format!("{{\"type\":1,\"target\":\"message\",\"arguments\":[\"{payload}\"]}}\u{1e}")
}

/// Returns the output of a future. Streams in memory are never pending.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn tungstenite_reads(stream: &[u8], role: Role) -> usize {
    let mut socket = now(WebSocketStream::from_raw_socket(Memory::new(stream), role, None));
    let mut messages = 0;
    while let Some(Ok(message)) = now(socket.next()) {
        messages += usize::from(!black_box(message).is_close());
    }
    messages
}

fn websockets_reads(mut socket: tokio_websockets::WebSocketStream<Memory<'_>>) -> usize {
    let mut messages = 0;
    while let Some(Ok(message)) = now(socket.next()) {
        messages += usize::from(!black_box(message).is_close());
    }
    messages
}

fn tungstenite_writes(text: &str, role: Role) -> usize {
    let mut socket = now(WebSocketStream::from_raw_socket(Memory::new(&[]), role, None));
    for _ in 0..MESSAGES {
        now(socket.feed(Tungstenite::text(text))).unwrap();
    }
    now(socket.flush()).unwrap();
    socket.get_ref().written.len()
}

fn websockets_writes(
    text: &bytes::Bytes,
    mut socket: tokio_websockets::WebSocketStream<Memory<'_>>,
) -> usize {
    for _ in 0..MESSAGES {
        now(socket.feed(Websockets::text(bytes::BytesMut::from(&text[..]).freeze()))).unwrap();
    }
    now(socket.flush()).unwrap();
    socket.get_ref().written.len()
}

fn frames(criterion: &mut Criterion) {
    let text = message();
    let bytes = bytes::Bytes::from(text.clone());
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    for number in 0..MESSAGES {
        masked(&mut from_client, TEXT, 0x9E37_79B9_u32.rotate_left(number as u32), text.as_bytes());
        from_server.extend_from_slice(Frame::text(text.as_bytes()).bytes());
    }
    let mut group = criterion.benchmark_group("server reads");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    assert!(read_as_server(&from_client).1 == MESSAGES * text.len());
    group.bench_function("ours", |bench| bench.iter(|| read_as_server(black_box(&from_client))));
    assert_eq!(tungstenite_reads(&from_client, Role::Server), MESSAGES);
    group.bench_function("tokio-tungstenite", |bench| {
        bench.iter(|| tungstenite_reads(black_box(&from_client), Role::Server));
    });
    let websockets = |stream| ServerBuilder::new().serve(Memory::new(stream));
    assert_eq!(websockets_reads(websockets(&from_client)), MESSAGES);
    group.bench_function("tokio-websockets", |bench| {
        bench.iter(|| websockets_reads(websockets(black_box(&from_client))));
    });
    group.finish();

    let mut group = criterion.benchmark_group("server writes");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.bench_function("ours, framed for this client", |bench| {
        bench.iter(|| {
            let mut memory = Memory::new(&[]);
            for _ in 0..MESSAGES {
                memory.written.extend_from_slice(Frame::text(black_box(text.as_bytes())).bytes());
            }
            memory.written.len()
        });
    });
    let framed = Frame::text(text.as_bytes());
    group.bench_function("ours, framed once for everyone", |bench| {
        bench.iter(|| {
            let mut memory = Memory::new(&[]);
            for _ in 0..MESSAGES {
                memory.written.extend_from_slice(black_box(&framed).bytes());
            }
            memory.written.len()
        });
    });
    assert_eq!(tungstenite_writes(&text, Role::Server), from_server.len());
    group.bench_function("tokio-tungstenite", |bench| {
        bench.iter(|| tungstenite_writes(black_box(&text), Role::Server));
    });
    let websockets = || ServerBuilder::new().serve(Memory::new(&[]));
    assert_eq!(websockets_writes(&bytes, websockets()), from_server.len());
    group.bench_function("tokio-websockets", |bench| {
        bench.iter(|| websockets_writes(black_box(&bytes), websockets()));
    });
    group.finish();

    let mut group = criterion.benchmark_group("client reads");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    let mut buffer = vec![0; 64 * 1024];
    assert!(read_as_client(&from_server, &mut buffer).1 == MESSAGES * text.len());
    group.bench_function("ours", |bench| {
        bench.iter(|| read_as_client(black_box(&from_server), &mut buffer));
    });
    assert_eq!(tungstenite_reads(&from_server, Role::Client), MESSAGES);
    group.bench_function("tokio-tungstenite", |bench| {
        bench.iter(|| tungstenite_reads(black_box(&from_server), Role::Client));
    });
    let websockets = |stream| ClientBuilder::new().take_over(Memory::new(stream));
    assert_eq!(websockets_reads(websockets(&from_server)), MESSAGES);
    group.bench_function("tokio-websockets", |bench| {
        bench.iter(|| websockets_reads(websockets(black_box(&from_server))));
    });
    group.finish();

    let mut group = criterion.benchmark_group("client writes");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.bench_function("ours", |bench| {
        bench.iter(|| {
            let mut memory = Memory::new(&[]);
            for number in 0..MESSAGES {
                masked(&mut memory.written, TEXT, number as u32, black_box(text.as_bytes()));
            }
            memory.written.len()
        });
    });
    assert_eq!(tungstenite_writes(&text, Role::Client), from_client.len());
    group.bench_function("tokio-tungstenite", |bench| {
        bench.iter(|| tungstenite_writes(black_box(&text), Role::Client));
    });
    let websockets = || ClientBuilder::new().take_over(Memory::new(&[]));
    assert_eq!(websockets_writes(&bytes, websockets()), from_client.len());
    group.bench_function("tokio-websockets", |bench| {
        bench.iter(|| websockets_writes(black_box(&bytes), websockets()));
    });
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
