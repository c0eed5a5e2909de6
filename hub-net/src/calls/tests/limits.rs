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
