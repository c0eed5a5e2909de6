//! Retries of REST requests. A service on a socket fails as a script specifies.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use hub_runtime::{HubContext, config::Retries, prelude::*};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::builder_at;

struct Loop;

#[serverless_hub]
impl Loop {}

/// The reaction of the service to a request.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Responds with this status and keeps the connection open.
    Answer(&'static str),
    /// Responds and closes the connection, without the header `Connection: close`.
    AnswerAndClose,
    /// Closes the connection without a response.
    HangUp,
    /// Closes the connection in the middle of a response.
    HalfAnAnswer,
}

#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    requests: Vec<String>,
    connections: usize,
}

struct Fake {
    context: HubContext<Loop>,
    script: Arc<Mutex<Script>>,
    _server: JoinSet<()>,
}

impl Fake {
    async fn start(steps: &[Step]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script = Script { steps: steps.iter().copied().collect(), ..Script::default() };
        let script = Arc::new(Mutex::new(script));
        let mut server = JoinSet::new();
        let written = Arc::clone(&script);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                written.lock().unwrap().connections += 1;
                connections.spawn(serve(stream, Arc::clone(&written)));
            }
        });
        // The tests count requests and do not measure time, so the delay is only 1 ms.
        let retries = Retries::default().delay(Duration::from_millis(1));
        let app = builder_at(&base, Loop).retries(retries).build().unwrap();
        Self { context: app.context(), script, _server: server }
    }

    async fn send(&self) -> Result<(), SendError> {
        self.context.clients().all().send("changed", (1,)).await
    }

    /// The request lines that the service has received.
    fn requests(&self) -> Vec<String> {
        self.script.lock().unwrap().requests.clone()
    }
}

async fn serve(stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let step = {
            let mut script = script.lock().unwrap();
            script.requests.push(request);
            script.steps.pop_front().expect("one request too many")
        };
        let (answer, goes_on) = match step {
            Step::Answer(status) => {
                (format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"), true)
            }
            Step::AnswerAndClose => {
                ("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".into(), false)
            }
            Step::HangUp => (String::new(), false),
            Step::HalfAnAnswer => ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".into(), false),
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        if !goes_on {
            return;
        }
    }
}

/// Reads a whole request and returns its first line, or `None` if the connection ends first.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await.ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(first.trim_end().to_owned())
}

#[tokio::test]
async fn a_message_whose_connection_broke_is_not_sent_twice() {
    for step in [Step::HangUp, Step::HalfAnAnswer] {
        let fake = Fake::start(&[step]).await;

        let error = fake.send().await.unwrap_err();

        assert!(matches!(error, SendError::Interrupted(_)), "{step:?}: {error:?}");
        assert!(error.may_have_happened());
        assert_eq!(fake.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_group_change_is_retried_after_a_broken_connection() {
    let fake = Fake::start(&[Step::HangUp, Step::HalfAnAnswer, Step::Answer("200 OK")]).await;

    fake.context.groups().add("c1", "g").await.unwrap();

    let line = "PUT /api/hubs/loop/groups/g/connections/c1?api-version=2022-06-01 HTTP/1.1";
    assert_eq!(fake.requests(), [line; 3]);
}

#[tokio::test]
async fn a_throttled_message_is_retried() {
    let busy = Step::Answer("429 Too Many Requests\r\nretry-after: 0");
    let fake = Fake::start(&[busy, busy, Step::Answer("202 Accepted")]).await;

    fake.send().await.unwrap();

    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn a_message_is_not_retried_after_a_5xx() {
    let fake = Fake::start(&[Step::Answer("502 Bad Gateway")]).await;

    let error = fake.send().await.unwrap_err();

    assert!(matches!(error, SendError::Rejected { status: 502, .. }));
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn an_unreachable_service_has_its_own_error() {
    let base = format!("http://{}", test_support::free_address().await);
    let retries = Retries::default().delay(Duration::from_millis(1));
    let app = builder_at(&base, Loop).retries(retries).build().unwrap();

    let error = app.context::<Loop>().clients().all().send("changed", ()).await.unwrap_err();

    assert!(matches!(error, SendError::Unreachable(_)), "{error:?}");
    assert!(!error.may_have_happened());
}

#[tokio::test]
async fn a_closed_pooled_connection_causes_no_duplicate() {
    for _ in 0..20 {
        let fake = Fake::start(&[Step::AnswerAndClose, Step::Answer("202 Accepted")]).await;
        fake.send().await.unwrap();

        let second = fake.send().await;

        // Either the pool detects the closed connection in time, or the send fails. Neither case
        // sends a message twice.
        let expected = if second.is_ok() { 2 } else { 1 };
        assert_eq!(fake.requests().len(), expected, "{second:?}");
    }
}

#[tokio::test]
async fn connections_are_reused() {
    const REQUESTS: usize = 20;
    let fake = Fake::start(&[Step::Answer("202 Accepted"); REQUESTS]).await;

    for _ in 0..REQUESTS {
        fake.send().await.unwrap();
        // A separate task returns the connection to the pool.
        tokio::task::yield_now().await;
    }

    assert_eq!(fake.requests().len(), REQUESTS);
    let connections = fake.script.lock().unwrap().connections;
    assert!(connections < REQUESTS / 2, "{connections} connections");
}
