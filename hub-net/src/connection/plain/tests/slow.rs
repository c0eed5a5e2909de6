//! Responses to peers that read slowly, and with bodies that arrive slowly.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_response_is_written_to_its_end_to_a_peer_that_reads_slowly() {
    let (mut stream, mut server) = duplex(100);
    let serving = tokio::spawn(async move {
        let respond =
            |_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("x".repeat(1000)))) };
        let head_timeout = HeadTimeout::new(HEAD_TIMEOUT);
        let rules = Rules { head_timeout, is_last: AtomicBool::new(true) };
        serve(&mut server, &rules, respond).await
    });
    stream.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    while stream.read_buf(&mut (&mut read).limit(30)).await.unwrap() > 0 {
        settle().await;
    }

    assert!(matches!(serving.await.unwrap(), Ok(Ended::Closed)));
    let text = String::from_utf8(read).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n"), "{text}");
    assert!(text.ends_with(&("\r\n\r\n".to_owned() + &"x".repeat(1000))), "{text}");
}

/// A body of ten bytes whose parts arrive one after the other.
struct Parts(UnboundedReceiver<Result<&'static str, &'static str>>);

impl Body for Parts {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let part = ready!(self.0.poll_recv(cx));
        Poll::Ready(part.map(|part| part.map(|part| Frame::data(part.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(10)
    }
}

#[tokio::test(start_paused = true)]
async fn the_ready_part_of_a_body_does_not_wait_for_the_rest() {
    for rest in [Ok("world"), Ok("world and more"), Err("broken")] {
        let (mut stream, mut server) = duplex(PIPE);
        let (parts, body) = unbounded_channel();
        parts.send(Ok("hello")).unwrap();
        let mut body = Some(Parts(body));
        let serving = tokio::spawn(async move {
            let respond = |_| std::future::ready(body.take().map(Response::new).ok_or("again"));
            let head_timeout = HeadTimeout::new(HEAD_TIMEOUT);
            let rules = Rules { head_timeout, is_last: AtomicBool::new(true) };
            serve(&mut server, &rules, respond).await.map(drop).map_err(|error| error.to_string())
        });
        stream.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
        settle().await;
        let mut begin = vec![0; 1024];
        let length = stream.read(&mut begin).await.unwrap();
        let begin = String::from_utf8_lossy(&begin[..length]).into_owned();
        assert!(
            begin.contains("content-length: 10\r\n") && begin.ends_with("\r\n\r\nhello"),
            "{begin}"
        );

        parts.send(rest).unwrap();
        let mut end = String::new();
        stream.read_to_string(&mut end).await.unwrap();

        assert_eq!(end, if rest.is_ok() { "world" } else { "" });
        assert_eq!(serving.await.unwrap(), rest.map(drop).map_err(str::to_owned));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_of_its_response_is_left() {
    let (mut stream, mut server) = duplex(100);
    stream.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
    let respond =
        |_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("x".repeat(1000)))) };
    let head_timeout = HeadTimeout::new(HEAD_TIMEOUT);
    let rules = Rules { head_timeout, is_last: AtomicBool::new(false) };

    let ended = timeout(2 * WRITE_TIMEOUT, serve(&mut server, &rules, respond)).await.unwrap();

    assert_eq!(ended.map(drop).unwrap_err().to_string(), "the peer reads nothing");
}
