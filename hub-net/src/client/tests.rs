//! Servers on threads of their own, so that they close connections while the runtime does not look.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use http::{StatusCode, Uri};

use super::*;

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
    assert_eq!(client.request(post(&url, "")).await.unwrap().status(), StatusCode::OK);

    // Blocks the runtime, so that it cannot notice the close.
    may_close.send(()).unwrap();
    is_closed.recv().unwrap();
    let second = client.request(post(&url, "")).await.unwrap();

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
            client.request(post(&url, "")).await.unwrap();
            requests.recv().unwrap();
        }

        let error = client.request(post(&url, "")).await.unwrap_err();

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

        let response = client().request(post(&url, vec![b'x'; body])).await.unwrap();

        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{body}");
        let text = crate::body::read_response(response.into_body(), 100).await.unwrap();
        assert_eq!(text, "too large", "{body}");
    }
}

/// A server that answers each request, and reports the number of the connection when it ends.
fn counting_server() -> (Uri, mpsc::Receiver<usize>) {
    let (ended, ends) = mpsc::channel();
    let url = server(move |number, mut stream| {
        let ended = ended.clone();
        thread::spawn(move || {
            let mut byte = [0];
            while let Ok(1) = stream.read(&mut byte) {
                read_request(&mut stream);
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                stream.write_all(answer.as_bytes()).unwrap();
            }
            ended.send(number).unwrap();
        });
    });
    (url, ends)
}

async fn text(response: Response<ResponseBody>) -> Bytes {
    crate::body::read_response(response.into_body(), 100).await.unwrap()
}

#[tokio::test]
async fn the_connection_that_was_used_last_is_used_next() {
    let (url, _ends) = counting_server();
    let client = client();
    let [first, second] = [
        client.request(post(&url, "")).await.unwrap(),
        client.request(post(&url, "")).await.unwrap(),
    ];

    assert_eq!((text(second).await, text(first).await), ("1".into(), "0".into()));

    for _ in 0..2 {
        assert_eq!(text(client.request(post(&url, "")).await.unwrap()).await, "0");
    }
}

#[tokio::test]
async fn a_response_that_is_dropped_before_its_end_closes_its_connection() {
    let (url, ends) = counting_server();
    let client = client();

    drop(client.request(post(&url, "")).await.unwrap());

    assert_eq!(ends.recv().unwrap(), 0);
    assert_eq!(text(client.request(post(&url, "")).await.unwrap()).await, "1");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_after_the_idle_timeout() {
    let (url, ends) = counting_server();
    let client = client();
    let begun = client.request(post(&url, "")).await.unwrap();
    assert_eq!(text(begun).await, "0");

    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(41)).await;

    assert_eq!(ends.recv().unwrap(), 0);
}

#[test]
fn a_connection_is_not_used_after_the_end_of_its_runtime() {
    let (url, _ends) = counting_server();
    let client = client();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = || async { text(client.request(post(&url, "")).await.unwrap()).await };

    assert_eq!(runtime().block_on(request()), "0");

    assert_eq!(runtime().block_on(request()), "1");
}
