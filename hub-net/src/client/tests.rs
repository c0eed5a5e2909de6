//! Servers on threads of their own, so that they close connections while the runtime does not look.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
};

use http::{StatusCode, Uri};
use tokio::time::timeout;

use super::*;

const MAX: usize = 100;
const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const REFUSAL: &[u8] = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 9\r\n\r\ntoo large";

fn client() -> HttpClient<GaiResolver> {
    HttpClient::new(GaiResolver::new(), Duration::from_secs(20))
}

/// Starts a server that handles its connections one after the other. It gets their number.
fn server(mut handle: impl FnMut(usize, TcpStream) + Send + 'static) -> Uri {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for number in 0.. {
            let Ok((stream, _)) = listener.accept() else { return };
            handle(number, stream);
        }
    });
    url.parse().unwrap()
}

fn post(url: &Uri, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(url).body(body.into()).unwrap()
}

/// Reads a request without a body.
fn read_request(stream: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
}

#[tokio::test]
async fn a_request_on_a_kept_connection_that_was_closed_is_sent_on_a_new_one() {
    let (may_close, close) = mpsc::channel();
    let (has_closed, is_closed) = mpsc::channel();
    let (requested, requests) = mpsc::channel();
    let url = server(move |number, mut stream| {
        read_request(&mut stream);
        requested.send(number).unwrap();
        stream.write_all(EMPTY).unwrap();
        if number == 0 {
            close.recv().unwrap();
            drop(stream);
            has_closed.send(()).unwrap();
        } else {
            thread::park();
        }
    });
    let client = client();
    assert_eq!(client.request(post(&url, ""), MAX).await.unwrap().status(), StatusCode::OK);

    // Blocks the runtime, so that it cannot notice the close.
    may_close.send(()).unwrap();
    is_closed.recv().unwrap();
    let second = client.request(post(&url, ""), MAX).await.unwrap();

    assert_eq!(second.status(), StatusCode::OK);
    assert_eq!(requests.try_iter().collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn a_request_that_the_server_may_have_read_is_not_repeated_and_the_error_names_the_cause() {
    for is_kept in [false, true] {
        let (requested, requests) = mpsc::channel();
        let url = server(move |_, mut stream| {
            for answers in [is_kept, false].into_iter().skip(usize::from(!is_kept)) {
                read_request(&mut stream);
                requested.send(()).unwrap();
                if answers {
                    stream.write_all(EMPTY).unwrap();
                }
            }
        });
        let client = client();
        if is_kept {
            client.request(post(&url, ""), MAX).await.unwrap();
            requests.recv().unwrap();
        }

        let error = client.request(post(&url, ""), MAX).await.unwrap_err();

        let RequestError::Interrupted(error) = error else { panic!("{error:?}") };
        let expected = if is_kept { Unanswered::Kept } else { Unanswered::New };
        assert_eq!(Unanswered::find(error.as_ref()), Some(expected));
        assert_eq!(requests.try_iter().count(), 1);
    }
}

#[tokio::test]
async fn a_response_is_read_although_the_server_has_closed_before_it_read_the_request() {
    for body in [0, 20_000, 8 << 20] {
        let url = server(move |_, mut stream| {
            let mut head = [0; 10];
            stream.read_exact(&mut head).unwrap();
            stream.write_all(REFUSAL).unwrap();
            // Closing with unread data sends a reset.
            stream.shutdown(Shutdown::Write).unwrap();
        });

        let response = client().request(post(&url, vec![b'x'; body]), MAX).await.unwrap();

        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{body}");
        assert_eq!(response.body(), "too large", "{body}");
    }
}

/// A server that answers each request with this head and the number of the connection, and reports the number when the
/// connection ends.
fn counting_server(head: &'static str) -> (Uri, mpsc::Receiver<usize>) {
    let (ended, ends) = mpsc::channel();
    let url = server(move |number, mut stream| {
        let ended = ended.clone();
        thread::spawn(move || {
            let mut byte = [0];
            while let Ok(1) = stream.read(&mut byte) {
                read_request(&mut stream);
                stream.write_all(format!("{head}\r\n\r\n{number}").as_bytes()).unwrap();
            }
            ended.send(number).unwrap();
        });
    });
    (url, ends)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1";
const TIMEOUT: Duration = Duration::from_secs(10);

/// The number of the connection of a request.
async fn number(client: &HttpClient<GaiResolver>, url: &Uri) -> Bytes {
    client.request(post(url, ""), MAX).await.unwrap().into_body()
}

#[tokio::test]
async fn the_connection_that_was_used_last_is_used_next() {
    for order in [[1, 0], [0, 1]] {
        let (requested, requests) = mpsc::channel();
        let url = server(move |number, mut stream| {
            let requested = requested.clone();
            thread::spawn(move || {
                read_request(&mut stream);
                // All requests are answered when the test has dropped its end.
                let (unanswered, may_answer) = mpsc::channel::<()>();
                requested.send(unanswered).unwrap();
                may_answer.recv().unwrap_err();
                loop {
                    stream.write_all(format!("{OK}\r\n\r\n{number}").as_bytes()).unwrap();
                    read_request(&mut stream);
                }
            });
        });
        let client = Arc::new(client());
        let mut calls = [const { None }; 2];
        for call in &mut calls {
            let (client, url) = (Arc::clone(&client), url.clone());
            let answer = tokio::spawn(async move { number(&client, &url).await });
            *call = Some((answer, next(&requests).await));
        }

        for number in order {
            let (answer, unanswered) = calls[number].take().unwrap();
            drop(unanswered);
            assert_eq!(answer.await.unwrap(), number.to_string());
        }

        for _ in 0..3 {
            assert_eq!(number(&client, &url).await, order[1].to_string());
        }
    }
}

/// What a server sends, while the tasks of this runtime run.
async fn next<T>(sent: &mpsc::Receiver<T>) -> T {
    loop {
        match sent.try_recv() {
            Ok(next) => return next,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_before_the_end_of_its_response_closes_its_connection() {
    for begin in
        ["", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n1"]
    {
        let (ended, ends) = mpsc::channel();
        let url = server(move |number, mut stream| {
            read_request(&mut stream);
            stream.write_all(begin.as_bytes()).unwrap();
            let rest = stream.read(&mut [0]);
            ended.send((number, rest.is_ok_and(|length| length == 0))).unwrap();
        });
        let client = client();

        for connection in 0..2 {
            let dropped = timeout(Duration::from_millis(50), number(&client, &url)).await;

            assert!(dropped.is_err());
            assert_eq!(ends.recv_timeout(TIMEOUT), Ok((connection, true)), "{begin}");
        }
    }
}

#[tokio::test]
async fn a_connection_is_kept_after_a_response_that_allows_it() {
    for (head, is_kept) in [
        (OK, true),
        ("HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n>>\r\n0\r\nend: ", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 1", false),
    ] {
        let (url, ends) = counting_server(head);
        let client = client();

        number(&client, &url).await;

        let ended = if is_kept { Err(mpsc::RecvTimeoutError::Timeout) } else { Ok(0) };
        let time = if is_kept { Duration::from_millis(50) } else { TIMEOUT };
        assert_eq!(ends.recv_timeout(time), ended, "{head}");
    }
}

#[tokio::test]
async fn a_chunked_response_is_joined_and_its_connection_is_kept() {
    let (requested, requests) = mpsc::channel();
    let url = server(move |number, mut stream| {
        loop {
            read_request(&mut stream);
            requested.send(number).unwrap();
            for part in [
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
                "lo\r\n1;x\r\n!\r\n0\r\na: b\r\n",
                "\r\n",
            ] {
                stream.write_all(part.as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(5));
            }
        }
    });
    let client = client();

    for _ in 0..2 {
        let response = client.request(post(&url, ""), MAX).await.unwrap();
        assert_eq!(response.body(), "hello!");
    }

    assert_eq!(requests.try_iter().collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn bytes_that_a_server_writes_without_a_request_are_no_response() {
    let (may_write, write) = mpsc::channel();
    let (has_written, is_written) = mpsc::channel();
    let url = server(move |number, mut stream| {
        read_request(&mut stream);
        stream.write_all(format!("{OK}\r\n\r\n{number}").as_bytes()).unwrap();
        if number == 0 {
            write.recv().unwrap();
            stream.write_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n").unwrap();
            has_written.send(stream).unwrap();
        }
    });
    let client = client();
    assert_eq!(number(&client, &url).await, "0");

    may_write.send(()).unwrap();
    let _open = is_written.recv().unwrap();

    assert_eq!(number(&client, &url).await, "1");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_when_the_idle_timeout_has_passed() {
    let (url, ends) = counting_server(OK);
    let client = client();
    let sleep_paused = async |seconds| {
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        tokio::time::resume();
    };
    for _ in 0..2 {
        assert_eq!(number(&client, &url).await, "0");
        sleep_paused(15).await;
    }

    assert!(ends.try_recv().is_err());
    sleep_paused(6).await;

    assert_eq!(ends.recv_timeout(TIMEOUT), Ok(0));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_connection_is_not_used_after_the_end_of_its_runtime() {
    let (url, ends) = counting_server(OK);
    let client = client();

    assert_eq!(runtime().block_on(number(&client, &url)), "0");

    assert_eq!(ends.recv_timeout(TIMEOUT), Ok(0), "it is closed with its runtime");
    assert_eq!(runtime().block_on(number(&client, &url)), "1");
}

#[test]
fn each_runtime_keeps_and_closes_its_own_connections() {
    let (url, ends) = counting_server(OK);
    let client = client();
    let (first, second) = (runtime(), runtime());

    for _ in 0..2 {
        assert_eq!(first.block_on(number(&client, &url)), "0");
        assert_eq!(second.block_on(number(&client, &url)), "1");
    }

    second.block_on(async {
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(21)).await;
    });
    assert_eq!(ends.recv_timeout(TIMEOUT), Ok(1), "although the first runtime does not run");
}
