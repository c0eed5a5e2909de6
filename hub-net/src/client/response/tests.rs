use super::*;

const ANY: Expected = Expected { is_head: false, wants_headers: true, max_bytes: 100 };

/// The response when `size` bytes arrive at once, and the server then closes the connection if it is incomplete.
fn read_in(expected: Expected, bytes: &[u8], size: usize) -> Result<Incoming, ResponseError> {
    let mut incoming = Incoming::new(expected);
    bytes.chunks(size).try_for_each(|piece| incoming.push(piece))?;
    if !incoming.is_complete() {
        incoming.end()?;
    }
    Ok(incoming)
}

fn read(text: &str) -> Result<Incoming, ResponseError> {
    read_in(ANY, text.as_bytes(), usize::MAX)
}

#[test]
fn a_response_is_the_same_however_it_arrives() {
    for (text, body) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello", "hello"),
        (
            "HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "hello",
        ),
        ("HTTP/1.1 200\nX:y\nContent-Length:0\n\n", ""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\n\r\nhi",
            "hi",
        ),
    ] {
        for size in 1..=text.len() {
            let incoming = read_in(ANY, text.as_bytes(), size).unwrap();

            assert_eq!(incoming.status, StatusCode::OK, "{text} {size}");
            assert_eq!(
                (&incoming.headers["x"], &incoming.body[..]),
                (&"y".parse().unwrap(), body.as_bytes())
            );
            assert!(incoming.allows_next() && !incoming.headers.contains_key("link"));
        }
    }
}

#[test]
fn only_a_response_with_a_certain_end_allows_the_next_request() {
    for (text, body, is_kept) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", "a", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na", "a", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: x, Close\r\n\r\na", "a", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", "a", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab", "a", false),
        ("HTTP/1.1 200 OK\r\n\r\nab", "ab", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nab", "ab", false),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            "a",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "",
            false,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", "", true),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", "", true),
        ("HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\nab", "", false),
    ] {
        let incoming = read(text).unwrap();

        assert_eq!(
            (&incoming.body[..], incoming.allows_next()),
            (body.as_bytes(), is_kept),
            "{text}"
        );
    }
}

#[test]
fn an_offer_of_calls_needs_both_headers_that_proxies_remove() {
    for (lines, is_offer) in [
        ("connection: upgrade\r\nupgrade: hub-calls\r\n", true),
        ("Upgrade: h2c, HUB-calls\r\nConnection: keep-alive, Upgrade\r\n", true),
        ("upgrade: hub-calls\r\n", false),
        ("connection: upgrade\r\n", false),
        ("connection: upgrade\r\nupgrade: hub-call, websocket\r\n", false),
        ("connection: keep-alive\r\nupgrade: hub-calls\r\n", false),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{lines}content-length: 1\r\n\r\na");

        let incoming = read(&text).unwrap();

        assert_eq!((incoming.offers_calls, incoming.allows_next()), (is_offer, true), "{lines}");
    }
}

#[test]
fn the_response_to_head_has_no_body() {
    let expected = Expected { is_head: true, ..ANY };
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";

    let incoming = read_in(expected, text.as_bytes(), usize::MAX).unwrap();

    assert!(incoming.body.is_empty() && incoming.allows_next());
}

#[test]
fn a_body_has_at_most_the_expected_size() {
    let of = |size: usize| {
        let body = "x".repeat(size);
        [
            format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n{body}"),
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
            ),
            format!("HTTP/1.1 200 OK\r\n\r\n{body}"),
        ]
    };

    for text in of(100) {
        assert_eq!(read(&text).unwrap().body.len(), 100, "{text}");
    }
    for text in of(101) {
        assert!(matches!(read(&text), Err(ResponseError::TooLarge)), "{text}");
    }
}

#[test]
fn other_responses_are_an_error() {
    for text in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-len",
        "220 mail.example ESMTP\r\n",
        "\r\n\r\nHTTP/1.1 200 OK\r\n",
        "\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 103 Hints\r\n\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\naa",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\na",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
    ] {
        for size in [1, 7, usize::MAX] {
            assert!(read_in(ANY, text.as_bytes(), size).is_err(), "{text} {size}");
        }
    }
}

#[test]
fn a_head_is_limited_in_bytes_and_headers() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(MAX_HEAD_BYTES));
    let ended = format!("{long}\r\n\r\n");
    let many = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "content-length: 0\r\n".repeat(count));

    for (text, size) in [(&long, 4096), (&long, usize::MAX), (&ended, usize::MAX), (&ended, 80_000)]
    {
        let read = read_in(ANY, text.as_bytes(), size);
        assert!(matches!(read, Err(ResponseError::LongHead)), "{size}");
    }
    assert!(read(&many(MAX_HEADERS)).is_ok());
    assert!(matches!(read(&many(MAX_HEADERS + 1)), Err(ResponseError::Headers)));
}
