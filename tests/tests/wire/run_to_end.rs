//! A started call runs to completion, even if its caller hangs up. A negotiate ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hub_runtime::prelude::*;
use test_support::serve;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};

use crate::support::{KEY, SIGNATURE, app, sealed_claims};

#[derive(Default)]
struct Shared {
    effects: AtomicUsize,
    begun: Notify,
    done: Notify,
    token_fired: AtomicUsize,
}

/// Notifies when a negotiate ends or is dropped.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.done.notify_one();
    }
}

struct Loop(Arc<Shared>);

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        let _ended = Ended(Arc::clone(&self.0));
        self.0.begun.notify_one();
        std::future::pending().await
    }

    async fn twice(&self, ctx: &Context<Self>) -> HubResult {
        self.0.effects.fetch_add(1, Ordering::SeqCst);
        self.0.begun.notify_one();
        // The peer hangs up between these two awaits.
        ctx.cancellation().cancelled().await;
        self.0.token_fired.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.0.effects.fetch_add(1, Ordering::SeqCst);
        self.0.done.notify_one();
        Ok(())
    }
}

#[tokio::test]
async fn a_call_whose_peer_disconnects_is_cancelled_and_runs_to_its_end() {
    let shared = Arc::new(Shared::default());
    let (address, _serving) = serve(&app(Loop(Arc::clone(&shared)))).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"type":1,"invocationId":"7","target":"twice","arguments":[]}"#;
    let request = format!(
        "POST /runtime/webhooks/signalr HTTP/1.1\r\nHost: x\r\nX-ASRS-Connection-Id: conn-0001\r\nX-ASRS-Hub: loop\r\nX-ASRS-Category: messages\r\nX-ASRS-Event: twice\r\nX-ASRS-Signature: {SIGNATURE}\r\nX-ASRS-User-Claims: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        sealed_claims("loop", KEY).to_str().unwrap(),
        body.len()
    );

    stream.write_all(request.as_bytes()).await.unwrap();
    shared.begun.notified().await;
    drop(stream);
    shared.done.notified().await;

    assert_eq!(shared.effects.load(Ordering::SeqCst), 2);
    assert_eq!(shared.token_fired.load(Ordering::SeqCst), 1);
}

/// Anyone can send a negotiate request, and its result is of no use without a client.
#[tokio::test]
async fn a_negotiate_ends_with_its_client() {
    let shared = Arc::new(Shared::default());
    let (address, _serving) = serve(&app(Loop(Arc::clone(&shared)))).await;

    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /negotiate HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        shared.begun.notified().await;
        drop(stream);
        shared.done.notified().await;
    }

    assert_eq!(Arc::strong_count(&shared), 2, "no negotiate is left");
}
