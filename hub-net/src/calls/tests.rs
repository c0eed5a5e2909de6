//! Both sides of a connection, over TCP.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    CallsError, MAX_BLOCKS_BYTES, MAX_CALL_BYTES, MAX_LINES_BYTES, MAX_RESPONSE_BYTES, SLOTS,
    caller::{Block, CallConnection, CallError, NewCall, RunningCall},
    frame::{Call, Frame},
    server::serve,
};
use crate::client::{Unanswered, UpstreamCall};

mod limits;

const HOST: &str = "host: a\r\n";

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (one, other) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (one.unwrap(), other.unwrap().0)
}

/// The service's side.
struct Caller {
    connection: Arc<CallConnection>,
    block: Block,
    driving: JoinHandle<Result<(), CallsError>>,
}

impl Caller {
    fn new(stream: TcpStream) -> Self {
        let connection = Arc::<CallConnection>::default();
        connection.opened();
        let driven = Arc::clone(&connection);
        let driving = tokio::spawn(async move { driven.drive(stream, Vec::new()).await });
        Self { connection, block: Block::new(b"hub: chat\r\nid:\r\n".to_vec()), driving }
    }

    fn try_call(&self, target: &str, body: impl Into<Bytes>) -> Option<RunningCall> {
        let (block, body) = (&self.block, &body.into());
        self.connection.begin(&NewCall { host: HOST, target, block, lines: &[b"id: 7\r\n"], body })
    }

    fn call(&self, target: &str) -> RunningCall {
        self.try_call(target, "body").unwrap()
    }
}

/// The app's side.
struct App {
    serving: JoinHandle<Result<(), CallsError>>,
    stop: CancellationToken,
}

impl App {
    fn new<F>(
        stream: TcpStream,
        handle: impl Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = tokio::spawn(async move {
            serve(stream, Vec::new(), handle, &TaskTracker::new(), &stopped).await
        });
        Self { serving, stop }
    }
}

async fn pair<F>(
    handle: impl Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
) -> (Caller, App)
where
    F: Future<Output = Response<Bytes>> + Send + 'static,
{
    let (one, other) = sockets().await;
    (Caller::new(one), App::new(other, handle))
}

fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

fn is_interrupted(outcome: &Result<(StatusCode, Bytes), CallError>) -> bool {
    match outcome {
        Err(CallError::Interrupted(error)) => Unanswered::find(&**error) == Some(Unanswered::New),
        _ => false,
    }
}

/// Counts the futures of calls that are dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// An app whose calls never end, and the number of those that were dropped.
async fn endless() -> (Caller, App, Arc<AtomicUsize>, Arc<Notify>) {
    let (dropped, started) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
    let (counted, tells) = (Arc::clone(&dropped), Arc::clone(&started));
    let (caller, app) = pair(move |_| {
        let (dropped, tells) = (Dropped(Arc::clone(&counted)), Arc::clone(&tells));
        async move {
            let _dropped = dropped;
            tells.notify_one();
            std::future::pending().await
        }
    })
    .await;
    (caller, app, dropped, started)
}

async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_is_a_post_with_the_headers_of_its_block_and_its_own() {
    let (caller, _app) = pair(async |request: Request<Bytes>| {
        let headers = request.headers();
        let names = ["host", "hub", "id"].map(|name| headers[name].to_str().unwrap());
        let text = format!(
            "{} {} {names:?} {} {:?}",
            request.method(),
            request.uri(),
            headers.len(),
            request.body()
        );
        answer(201, text)
    })
    .await;

    for _ in 0..2 {
        let (status, body) = within(caller.call("/a?b=c")).await.unwrap();
        assert_eq!(status, 201);
        assert_eq!(body, "POST /a?b=c [\"a\", \"chat\", \"7\"] 3 b\"body\"");
    }
}

#[tokio::test]
async fn calls_that_are_ready_together_are_one_write_with_these_bytes() {
    let (one, mut peer) = sockets().await;
    let caller = Caller::new(one);
    let _calls = [caller.call("/a"), caller.call("/a")];

    let mut written = vec![0; 1000];
    let length = within(peer.read(&mut written)).await.unwrap();

    let mut expected = Vec::new();
    // The first block of this process may have any number.
    let block = u16::from_be_bytes([written[7], written[8]]);
    Frame::Lines { block: block.into(), lines: b"host: a\r\nhub: chat\r\nid:\r\n" }
        .write(&mut expected);
    let call = Call { block, target: b"/a", lines: b"id: 7\r\n", body: b"body" };
    Frame::Call { id: 1 << 10, call }.write(&mut expected);
    Frame::Call { id: 1 << 10 | 1, call }.write(&mut expected);
    assert_eq!(&written[..length], expected);
}

#[tokio::test]
async fn a_call_that_waits_for_another_one_of_the_connection_ends() {
    let woken = Arc::<Notify>::default();
    let (caller, _app) = pair(move |request| {
        let woken = Arc::clone(&woken);
        async move {
            match request.uri().path() {
                "/waits" => woken.notified().await,
                _ => woken.notify_one(),
            }
            answer(200, "")
        }
    })
    .await;

    let waiting = caller.call("/waits");
    let waking = caller.call("/wakes");

    let (waited, woke) = within(async { tokio::join!(waiting, waking) }).await;
    assert!(waited.is_ok() && woke.is_ok());
}

/// The first call occupies its thread until the responses of the others have arrived. The runtime of the
/// service has one thread, so all calls are one write. The app has a runtime of its own with three threads.
#[tokio::test]
async fn a_call_that_occupies_its_thread_does_not_delay_the_others() {
    let (one, other) = sockets().await;
    let (sender, receiver) = mpsc::channel();
    let receiver = Arc::new(std::sync::Mutex::new(receiver));
    let handle = move |request: Request<Bytes>| {
        let receiver = Arc::clone(&receiver);
        async move {
            if request.uri().path() == "/occupies" {
                receiver.lock().unwrap().recv_timeout(Duration::from_secs(60)).unwrap();
            }
            answer(200, "")
        }
    };
    let runtime = Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    let other = other.into_std().unwrap();
    let app = async { App::new(TcpStream::from_std(other).unwrap(), handle) };
    let (caller, _app) = (Caller::new(one), runtime.spawn(app).await.unwrap());

    for _ in 0..20 {
        let occupying = caller.call("/occupies");
        let others: Vec<_> = (0..50).map(|_| caller.call("/other")).collect();
        for other in others {
            assert_eq!(within(other).await.unwrap().0, 200);
        }
        sender.send(()).unwrap();
        assert_eq!(within(occupying).await.unwrap().0, 200);
    }
    runtime.shutdown_background();
}

#[tokio::test]
async fn the_app_drops_a_cancelled_call_and_goes_on() {
    let (caller, app, dropped, started) = endless().await;
    let calls: Vec<_> = (0..3).map(|_| caller.call("/")).collect();
    within(started.notified()).await;

    drop(calls);

    until(|| dropped.load(Ordering::SeqCst) == 3).await;
    // All three have started.
    let _of_these = started.notified().now_or_never();
    let next = caller.call("/");
    within(started.notified()).await;
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
    assert!(!app.serving.is_finished() && !caller.driving.is_finished());
    drop(next);
    until(|| dropped.load(Ordering::SeqCst) == 4).await;
}

#[tokio::test]
async fn the_end_of_the_service_drops_the_calls_of_the_app() {
    let (caller, app, dropped, started) = endless().await;
    let call = caller.call("/");
    within(started.notified()).await;

    caller.driving.abort();

    until(|| dropped.load(Ordering::SeqCst) == 1).await;
    let _ = within(app.serving).await;
    assert!(is_interrupted(&within(call).await));
    assert!(caller.try_call("/", "").is_none());
}

#[tokio::test]
async fn the_end_of_the_app_ends_calls_that_it_may_have_read() {
    let (mut caller, app, _dropped, started) = endless().await;
    let call = caller.call("/");
    within(started.notified()).await;

    app.serving.abort();

    assert!(is_interrupted(&within(call).await));
    assert!(matches!(within(&mut caller.driving).await.unwrap(), Err(CallsError::Socket(_))));
    assert!(!caller.connection.was_retired());
    assert!(caller.try_call("/", "").is_none());
}

#[tokio::test]
async fn a_call_after_the_end_of_the_app_is_unsent() {
    for _ in 0..20 {
        let (one, peer) = sockets().await;
        let caller = Caller::new(one);
        tokio::task::yield_now().await;

        drop(peer);
        let call = caller.call("/");

        assert!(matches!(within(call).await, Err(CallError::Unsent)));
    }
}

#[tokio::test]
async fn a_call_that_panics_has_status_500() {
    let (caller, app) = pair(|request: Request<Bytes>| {
        assert!(request.uri().path() != "/panics-before-its-future", "a test");
        async move {
            assert!(request.uri().path() == "/", "a test");
            answer(200, "")
        }
    })
    .await;

    for path in ["/panics", "/panics-before-its-future"] {
        assert_eq!(within(caller.call(path)).await.unwrap().0, 500);
    }

    assert_eq!(within(caller.call("/")).await.unwrap().0, 200);
    assert!(!app.serving.is_finished());
}

#[tokio::test]
async fn an_app_that_stops_answers_its_calls_and_gets_no_others() {
    let (release, started) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (waits, tells) = (Arc::clone(&release), Arc::clone(&started));
    let (caller, app) = pair(move |_| {
        let (waits, tells) = (Arc::clone(&waits), Arc::clone(&tells));
        async move {
            tells.notify_one();
            waits.notified().await;
            answer(200, "")
        }
    })
    .await;
    let call = caller.call("/");
    within(started.notified()).await;

    app.stop.cancel();

    until(|| caller.try_call("/", "").is_none()).await;
    assert!(!app.serving.is_finished());
    release.notify_waiters();
    release.notify_one();
    assert_eq!(within(call).await.unwrap().0, 200);
    assert!(within(caller.driving).await.unwrap().is_ok());
    assert!(caller.connection.was_retired());
    within(app.serving).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_closed() {
    let (caller, app) = pair(async |_| answer(200, "")).await;
    caller.call("/").await.unwrap();
    let begun = tokio::time::Instant::now();

    assert!(caller.driving.await.unwrap().is_ok());

    assert!((10..=12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    app.serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_app_that_sends_nothing_is_sent_a_ping_and_then_gets_no_further_calls() {
    let (one, mut peer) = sockets().await;
    let caller = Caller::new(one);
    let call = caller.call("/");
    let mut bytes = Vec::new();
    let begun = tokio::time::Instant::now();

    while !bytes.ends_with(b"\x00\x00\x00\x05\x07\x00\x00\x00\x00") {
        peer.read_buf(&mut bytes).await.unwrap();
    }
    assert!(begun.elapsed().as_secs() >= 10 && caller.connection.is_fresh());
    tokio::time::sleep(Duration::from_secs(11)).await;

    assert!(caller.try_call("/", "").is_none());
    let mut response = Vec::new();
    Frame::Response { id: 1 << 10, status: 200, body: b"late" }.write(&mut response);
    peer.write_all(&response).await.unwrap();
    assert_eq!(call.await.unwrap().1, "late");
    assert!(caller.driving.await.unwrap().is_ok());
}
