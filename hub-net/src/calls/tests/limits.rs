//! Invalid bytes, and limits.

use super::{super::frame::FrameError, *};

/// Whether an error is the expected one.
type IsExpected = fn(&CallsError) -> bool;

#[tokio::test]
async fn invalid_bytes_of_the_app_end_its_calls() {
    let response = |id| {
        let mut bytes = Vec::new();
        Frame::Response { id, status: 99, body: b"" }.write(&mut bytes);
        bytes
    };
    let call = Call { block: 0, target: b"/", lines: b"", body: b"" };
    let mut direction = Vec::new();
    Frame::Call { id: 1, call }.write(&mut direction);
    let invalid: [(Vec<u8>, IsExpected); 5] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), |error| {
            matches!(error, CallsError::Frame(FrameError::TooLong(_)))
        }),
        (vec![0, 0, 0, 5, 77, 0, 0, 0, 0], |error| {
            matches!(error, CallsError::Frame(FrameError::Kind(77)))
        }),
        (response(1 << 10), |error| matches!(error, CallsError::Status)),
        (vec![0, 0, 0, 5, 4, 0, 0, 0, 5], |error| matches!(error, CallsError::Slot)),
        (direction, |error| matches!(error, CallsError::Direction)),
    ];
    for (bytes, is_expected) in invalid {
        let (one, mut peer) = sockets().await;
        let caller = Caller::new(one);
        let call = caller.call("/");
        within(peer.read_u8()).await.unwrap();

        peer.write_all(&bytes).await.unwrap();

        assert!(is_interrupted(&within(call).await));
        let ended = within(caller.driving).await.unwrap().unwrap_err();
        assert!(is_expected(&ended), "{ended:?}");
    }
}

#[tokio::test]
async fn a_response_that_arrives_with_invalid_bytes_ends_its_call() {
    let too_large_of_no_call = vec![0, 0, 0, 5, 4, 0, 0, 0, 5];
    let unknown_kind = vec![0, 0, 0, 5, 77, 0, 0, 0, 0];
    for invalid in [too_large_of_no_call, unknown_kind] {
        let (one, mut peer) = sockets().await;
        let caller = Caller::new(one);
        let call = caller.call("/");
        within(peer.read_u8()).await.unwrap();
        let mut bytes = Vec::new();
        Frame::Response { id: 1 << 10, status: 200, body: b"done" }.write(&mut bytes);
        bytes.extend_from_slice(&invalid);

        peer.write_all(&bytes).await.unwrap();

        assert_eq!(within(call).await.unwrap().1, "done", "{invalid:?}");
        assert!(within(caller.driving).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn invalid_bytes_of_the_service_end_the_connection() {
    let lines = Frame::Lines { block: 0, lines: b"hub: chat\r\n" };
    let call = |id, block, target, lines| Frame::Call {
        id,
        call: Call { block, target, lines, body: b"" },
    };
    let large = vec![b'x'; MAX_LINES_BYTES + 1];
    let invalid: [(&[Frame<'_>], IsExpected); 8] = [
        (&[call(1, 0, b"/", b"")], |error| matches!(error, CallsError::Block)),
        (&[Frame::Lines { block: 1024, lines: b"" }], |error| matches!(error, CallsError::Block)),
        (&[Frame::Lines { block: 1, lines: &large }], |error| matches!(error, CallsError::Block)),
        (&[Frame::Lines { block: 1, lines: b"x" }], |error| matches!(error, CallsError::Lines)),
        (&[lines, call(1, 0, b"/", b"x\r\n")], |error| matches!(error, CallsError::Lines)),
        (&[lines, call(1, 0, b"\x00", b"")], |error| matches!(error, CallsError::Target)),
        (
            // Two calls of one slot.
            &[lines, call(1, 0, b"/", b""), call(1 << 10 | 1, 0, b"/", b"")],
            |error| matches!(error, CallsError::Slot),
        ),
        (&[Frame::Pong], |error| matches!(error, CallsError::Direction)),
    ];
    for (frames, is_expected) in invalid {
        let (mut peer, other) = sockets().await;
        let app = App::new(other, |_| std::future::pending());
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));

        peer.write_all(&bytes).await.unwrap();

        let ended = within(app.serving).await.unwrap().unwrap_err();
        assert!(is_expected(&ended), "{ended:?}");
    }
}

#[tokio::test]
async fn a_slot_is_free_after_the_cancel_of_its_call() {
    let (mut peer, other) = sockets().await;
    let app = App::new(other, async |request: Request<Bytes>| {
        if request.uri().path() == "/endless" {
            std::future::pending::<()>().await;
        }
        answer(200, "")
    });
    let call =
        |id, target| Frame::Call { id, call: Call { block: 9, target, lines: b"", body: b"" } };
    let frames = [
        Frame::Lines { block: 9, lines: b"" },
        call(5, b"/endless"),
        Frame::Cancel(5),
        // Of an earlier call of the slot.
        Frame::Cancel(5),
        call(1 << 10 | 5, b"/"),
        Frame::Ping,
    ];
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.write(&mut bytes));

    peer.write_all(&bytes).await.unwrap();

    let mut expected = Vec::new();
    Frame::Pong.write(&mut expected);
    Frame::Response { id: 1 << 10 | 5, status: 200, body: b"" }.write(&mut expected);
    let mut received = vec![0; expected.len()];
    within(peer.read_exact(&mut received)).await.unwrap();
    assert_eq!(received, expected);
    assert!(!app.serving.is_finished());
}

#[tokio::test]
async fn a_response_may_have_sixteen_mebibytes_and_no_more() {
    let (caller, _app) = pair(async |request: Request<Bytes>| {
        let more = usize::from(request.uri().path() == "/more");
        answer(200, vec![7; MAX_RESPONSE_BYTES + more])
    })
    .await;

    let (large, more) = (caller.call("/"), caller.call("/more"));

    assert_eq!(within(large).await.unwrap().1.len(), MAX_RESPONSE_BYTES);
    assert!(matches!(within(more).await, Err(CallError::TooLarge)));
}

#[tokio::test]
async fn calls_beyond_the_limits_are_not_taken() {
    let (caller, _app, ..) = endless().await;
    let room = MAX_CALL_BYTES - "/".len() - "id: 7\r\n".len();
    assert!(caller.try_call("/", vec![0; room]).is_some());
    assert!(caller.try_call("/", vec![0; room + 1]).is_none());
    let block = Block::new(vec![b'x'; MAX_LINES_BYTES - HOST.len() + 1]);
    let large = NewCall { host: HOST, target: "/", block: &block, lines: &[], body: &Bytes::new() };
    assert!(caller.connection.begin(&large).is_none());

    let calls: Vec<_> = (0..SLOTS).map(|_| caller.call("/")).collect();
    assert!(caller.try_call("/", "").is_none());
    drop(calls);

    assert!(caller.try_call("/", "").is_some());
}

/// The app reads nothing: what the service stores is bounded.
#[tokio::test]
async fn a_connection_whose_app_reads_nothing_takes_no_calls_after_a_mebibyte() {
    let (one, _peer) = sockets().await;
    let caller = Caller::new(one);
    let mut taken = 0;

    // A call whose response is not awaited leaves its slot and not the buffer.
    while caller.try_call("/", vec![0; 10_000]).is_some() && taken < 100_000 {
        taken += 1;
        tokio::task::yield_now().await;
    }

    assert!(taken < 10_000, "{taken}");
}

#[tokio::test]
async fn a_response_that_breaks_off_at_any_byte_interrupts_its_call() {
    let mut response = Vec::new();
    Frame::Response { id: 1 << 10, status: 200, body: b"done" }.write(&mut response);
    for length in 0..=response.len() {
        let (one, mut peer) = sockets().await;
        let caller = Caller::new(one);
        let call = caller.call("/");
        within(peer.read_u8()).await.unwrap();

        peer.write_all(&response[..length]).await.unwrap();
        peer.shutdown().await.unwrap();

        let outcome = within(call).await;
        match length == response.len() {
            true => assert_eq!(outcome.unwrap().1, "done"),
            false => assert!(is_interrupted(&outcome), "{length}"),
        }
    }
}

#[tokio::test]
async fn a_call_that_breaks_off_at_any_byte_does_not_run() {
    let call = Call { block: 0, target: b"/", lines: b"a: b\r\n", body: b"body" };
    let mut bytes = Vec::new();
    Frame::Lines { block: 0, lines: b"hub: chat\r\n" }.write(&mut bytes);
    Frame::Call { id: 1, call }.write(&mut bytes);
    for length in 0..=bytes.len() {
        let (mut peer, other) = sockets().await;
        let runs = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&runs);
        let app = App::new(other, move |_| {
            let counted = Arc::clone(&counted);
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                answer(200, "")
            }
        });

        peer.write_all(&bytes[..length]).await.unwrap();
        peer.shutdown().await.unwrap();

        within(app.serving).await.unwrap().unwrap();
        // The task of a call is ready before that of the connection has ended.
        tokio::task::yield_now().await;
        assert_eq!(runs.load(Ordering::SeqCst), usize::from(length == bytes.len()), "{length}");
    }
}

/// The rest of its run is up to the future, as over HTTP/1.1.
#[tokio::test]
async fn a_call_whose_cancel_arrives_with_it_starts() {
    let (mut peer, other) = sockets().await;
    let runs = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&runs);
    let app = App::new(other, move |_| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
    });
    let call = Call { block: 0, target: b"/", lines: b"", body: b"body" };
    let mut bytes = Vec::new();
    Frame::Lines { block: 0, lines: b"" }.write(&mut bytes);
    for _ in 0..3 {
        Frame::Call { id: 1, call }.write(&mut bytes);
        Frame::Cancel(1).write(&mut bytes);
    }

    peer.write_all(&bytes).await.unwrap();

    until(|| runs.load(Ordering::SeqCst) == 3).await;
    assert!(!app.serving.is_finished());
}

#[tokio::test]
async fn the_blocks_of_a_connection_have_at_most_a_mebibyte_of_lines() {
    let lines = format!("a: {}\r\n", "x".repeat(MAX_LINES_BYTES - "a: \r\n".len()));
    let full = u32::try_from(MAX_BLOCKS_BYTES / MAX_LINES_BYTES).unwrap();
    for (last, is_accepted) in [
        (Frame::Lines { block: 0, lines: lines.as_bytes() }, true),
        (Frame::Lines { block: full, lines: b"a: b\r\n" }, false),
    ] {
        let (mut peer, other) = sockets().await;
        let app = App::new(other, |_| std::future::pending());
        let mut bytes = Vec::new();
        for block in 0..full {
            Frame::Lines { block, lines: lines.as_bytes() }.write(&mut bytes);
        }
        last.write(&mut bytes);
        Frame::Ping.write(&mut bytes);

        peer.write_all(&bytes).await.unwrap();

        let mut pong = [0; 9];
        assert_eq!(within(peer.read_exact(&mut pong)).await.is_ok(), is_accepted);
        if !is_accepted {
            let ended = within(app.serving).await.unwrap();
            assert!(matches!(ended, Err(CallsError::Block)), "{ended:?}");
        }
    }
}

/// The service frees blocks of the app before it sends others.
#[tokio::test]
async fn calls_with_more_than_a_mebibyte_of_blocks_have_their_own_headers() {
    let (caller, app) = pair(async |request: Request<Bytes>| {
        answer(200, request.headers()["number"].as_bytes().to_vec())
    })
    .await;
    let blocks: Vec<_> = (0..700)
        .map(|number| Block::new(format!("number: {number}\r\nx: {:3000}\r\n", "x").into()))
        .collect();

    for _ in 0..2 {
        for (number, block) in blocks.iter().enumerate() {
            let body = &Bytes::new();
            let call = NewCall { host: HOST, target: "/", block, lines: &[], body };
            let outcome = within(caller.connection.begin(&call).unwrap()).await;
            assert_eq!(outcome.unwrap().1, number.to_string());
        }
    }

    assert!(!app.serving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_frame_whose_rest_does_not_arrive_ends_the_connection_after_half_a_minute() {
    let (mut peer, other) = sockets().await;
    let app = App::new(other, |_| std::future::pending());
    let begun = tokio::time::Instant::now();
    let sending = tokio::spawn(async move {
        // A byte every 10 s of a call that has 100.
        for byte in [0, 0, 0, 100, 2, 0, 0, 0, 0] {
            if peer.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    });

    let ended = app.serving.await.unwrap();

    assert!(matches!(ended, Err(CallsError::Slow)), "{ended:?}");
    assert!((30..=31).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    sending.abort();
}

#[tokio::test(start_paused = true)]
async fn pings_do_not_keep_a_connection_without_calls() {
    let (mut peer, other) = sockets().await;
    let app = App::new(other, |_| std::future::pending());
    let begun = tokio::time::Instant::now();
    let mut ping = Vec::new();
    Frame::Ping.write(&mut ping);
    let sending = tokio::spawn(async move {
        for _ in 0..100 {
            if peer.write_all(&ping).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    });

    app.serving.await.unwrap().unwrap();

    assert!((75..=151).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    sending.abort();
}

#[test]
fn debug_output_has_lengths_and_no_content() {
    let secret = "sha256=secret\r\n";
    let (block, body) = (Block::new(secret.into()), Bytes::from(secret));
    let call = Call { block: 1, target: b"/?secret", lines: secret.as_bytes(), body: &body };
    let uri = "http://a/?code=secret".parse().unwrap();
    let lines: &[&[u8]] = &[secret.as_bytes()];
    let upstream = UpstreamCall { uri: &uri, block: &block, lines, body: &body, max_bytes: 1 };
    let connection = Arc::<CallConnection>::default();
    connection.opened();
    let new = NewCall { host: HOST, target: "/secret", block: &block, lines, body: &body };
    let running = connection.begin(&new);

    for text in [
        format!("{block:?} {upstream:?} {connection:?} {running:?}"),
        format!("{:?} {:?}", call, Frame::Call { id: 1, call }),
        format!("{:?}", Frame::Lines { block: 1, lines: secret.as_bytes() }),
        format!("{:?}", Frame::Response { id: 1, status: 200, body: secret.as_bytes() }),
    ] {
        // As text, and as a list of bytes.
        assert!(!text.contains("secret") && !text.contains("115, 101"), "{text}");
        assert!(!text.contains("[115"), "{text}");
    }
}
