use std::pin::pin;

use futures_util::poll;
use http::{HeaderMap, HeaderValue};
use hub_core::{Category, Claims, upstream::REQUEST_ID};
use tokio::time::advance;

use super::{stored_answer::MAX_BYTES, *};

const BODY: &[u8] = br#"{"type":1,"invocationId":"0","target":"pay","arguments":[5]}"#;

/// A call whose request has this id, which is also its invocation id.
fn call(id: &str) -> InvocationParts {
    let request_id = (REQUEST_ID, HeaderValue::from_str(id).unwrap());
    InvocationParts { headers: HeaderMap::from_iter([request_id]).into(), ..without_request_id(id) }
}

fn without_request_id(invocation_id: &str) -> InvocationParts {
    InvocationParts {
        user_id: Some("ada".into()),
        claims: claims(&[("role", "member")]),
        arguments: Bytes::from_static(b"[5]"),
        invocation_id: Some(invocation_id.to_owned()),
        ..InvocationParts::new("chat", Category::Message, "pay", "conn-0001")
    }
}

fn claims(pairs: &[(&str, &str)]) -> Claims {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn see(replays: &Arc<Replays>, parts: &InvocationParts, body: &[u8]) -> Occurrence {
    let caller = Caller {
        connection_id: parts.connection_id.clone(),
        user_id: parts.user_id.clone(),
        claims: parts.claims.clone(),
        sealed: true,
        hash: CallerHash::default(),
    };
    let caller = replays.hash_of(&parts.hub, &caller);
    let request_id = parts.headers().get(&REQUEST_ID).map(HeaderValue::as_bytes);
    replays.begin(replays.fingerprint(caller, request_id, body))
}

fn ok(body: impl Into<Bytes>) -> Response<Bytes> {
    Response::new(body.into())
}

fn first(replays: &Arc<Replays>, invocation_id: &str) -> RunningCall {
    match see(replays, &call(invocation_id), BODY) {
        Occurrence::First(running) => running,
        Occurrence::Duplicate(_) => panic!("{invocation_id} is known"),
    }
}

fn copy(replays: &Arc<Replays>, parts: &InvocationParts, body: &[u8]) -> Duplicate {
    match see(replays, parts, body) {
        Occurrence::First(_) => panic!("the copy would run"),
        Occurrence::Duplicate(copied) => copied,
    }
}

/// The response that a copy of the call receives; it must be available.
async fn read(replays: &Arc<Replays>, invocation_id: &str) -> String {
    let answer = copy(replays, &call(invocation_id), BODY).answer(&call(invocation_id)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    String::from_utf8(answer.into_body().to_vec()).unwrap()
}

fn is_new(replays: &Arc<Replays>, invocation_id: &str) -> bool {
    matches!(see(replays, &call(invocation_id), BODY), Occurrence::First(_))
}

fn size(replays: &Replays) -> (usize, usize) {
    let table = replays.table.lock();
    (table.calls.len(), table.finished.len())
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_running_call_wait_for_its_response_without_a_timeout() {
    let replays = Arc::default();
    let running = first(&replays, "0");
    let hung_up = copy(&replays, &call("0"), BODY).answer(&call("0"));
    let mut waiting = pin!(read(&replays, "0"));
    assert!(poll!(&mut waiting).is_pending());

    drop(hung_up);
    advance(Duration::from_secs(3600)).await;
    assert!(poll!(&mut waiting).is_pending());
    let mut late = pin!(read(&replays, "0"));
    assert!(poll!(&mut late).is_pending());
    running.finish(&ok("done"));

    assert_eq!((waiting.await, late.await), ("done".to_owned(), "done".to_owned()));
}

#[tokio::test]
async fn copies_of_a_running_call_get_a_response_of_any_length() {
    let replays = Arc::default();
    let running = first(&replays, "0");
    let waiting = copy(&replays, &call("0"), BODY).answer(&call("0"));

    running.finish(&ok(vec![b'x'; MAX_BYTES + 1]));

    assert_eq!(waiting.await.body().len(), MAX_BYTES + 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_gets_the_response_for_sixty_seconds_after_the_end_of_the_call() {
    let replays = Arc::default();
    let running = first(&replays, "0");
    advance(Duration::from_secs(100)).await;
    running.finish(&ok("done"));

    assert_eq!(read(&replays, "0").await, "done");
    advance(WINDOW - Duration::from_millis(1)).await;
    assert_eq!(read(&replays, "0").await, "done");
    advance(Duration::from_millis(1)).await;

    assert!(is_new(&replays, "0"));
}

#[tokio::test]
async fn responses_over_4_kib_are_not_stored_and_the_copy_gets_an_error() {
    let replays = Arc::default();
    first(&replays, "0").finish(&ok(vec![b'x'; MAX_BYTES]));
    first(&replays, "1").finish(&ok(vec![b'x'; MAX_BYTES + 1]));

    assert_eq!(read(&replays, "0").await, "x".repeat(MAX_BYTES));
    assert_eq!(
        read(&replays, "1").await,
        "{\"type\":3,\"invocationId\":\"1\",\"error\":\"this invocation was already handled, and its result is no longer available\"}\x1e"
    );
}

#[tokio::test]
async fn another_caller_or_body_with_the_same_request_id_is_another_call() {
    let replays = Arc::default();
    let running = first(&replays, "0");
    let other_user = InvocationParts { user_id: Some("bob".into()), ..call("0") };
    let anonymous = InvocationParts { user_id: None, claims: claims(&[]), ..call("0") };
    let other_claims = InvocationParts { claims: claims(&[("role", "admin")]), ..call("0") };
    let cases = [
        (call("0"), &b"another body"[..]),
        (other_user, BODY),
        (anonymous, BODY),
        (other_claims, BODY),
    ];
    let all_run = || {
        for (parts, body) in &cases {
            assert!(matches!(see(&replays, parts, body), Occurrence::First(_)), "{parts:?}");
        }
    };

    all_run();
    running.finish(&ok("secret"));
    all_run();
}

#[tokio::test]
async fn without_a_request_id_a_copy_shares_the_response_only_while_the_first_call_runs() {
    let replays = Arc::default();
    let parts = without_request_id("0");
    let Occurrence::First(running) = see(&replays, &parts, BODY) else { panic!("a copy") };
    let copied = copy(&replays, &parts, BODY).answer(&parts);

    running.finish(&ok("done"));

    assert_eq!(&copied.await.body()[..], b"done");
    assert_eq!(size(&replays), (0, 0));
    assert!(matches!(see(&replays, &parts, BODY), Occurrence::First(_)));
}

#[tokio::test]
async fn a_send_and_an_event_with_a_request_id_get_the_status_of_the_first_call() {
    let replays = Arc::default();
    let mut refused = Response::new(Bytes::new());
    *refused.status_mut() = StatusCode::FORBIDDEN;
    for category in [Category::Message, Category::Connected, Category::Disconnected] {
        let id = format!("{category:?}");
        let parts = InvocationParts { category, invocation_id: None, ..call(&id) };
        let Occurrence::First(running) = see(&replays, &parts, BODY) else { panic!("a copy") };
        let while_it_runs = copy(&replays, &parts, BODY).answer(&parts);

        running.finish(&refused);

        let afterwards = copy(&replays, &parts, BODY).answer(&parts);
        for answer in [while_it_runs.await, afterwards.await] {
            assert_eq!((answer.status(), answer.body().len()), (StatusCode::FORBIDDEN, 0));
        }
    }
}

#[tokio::test]
async fn another_id_connection_or_hub_is_another_call() {
    let replays = Arc::default();
    let running = first(&replays, "0");

    let elsewhere = InvocationParts { connection_id: "conn-0002".into(), ..call("0") };
    let game = InvocationParts { hub: "game".into(), ..call("0") };
    // Different splits of the same characters into names must give different hashes.
    let moved =
        InvocationParts { hub: "chatconn".into(), connection_id: "-0001".into(), ..call("0") };
    for parts in [call("1"), call(""), elsewhere, game, moved] {
        assert!(matches!(see(&replays, &parts, BODY), Occurrence::First(_)), "{parts:?}");
    }
    drop(running);
}

#[test]
fn without_a_request_id_a_send_and_a_call_of_the_functions_host_are_never_copies() {
    use InvocationIds::{MadeUp, OfClients};

    assert!(!OfClients.identify(false, None) && !MadeUp.identify(false, Some("functions")));
    assert!(OfClients.identify(false, Some("0")));
    assert!(OfClients.identify(true, None) && MadeUp.identify(true, Some("functions")));
}

#[test]
fn the_bytes_of_a_request_id_and_a_body_have_one_fingerprint() {
    let replays = Replays::default();
    let fingerprint =
        |id: Option<&[u8]>, body: &[u8]| replays.fingerprint(CallerHash::default(), id, body).call;

    assert_eq!(fingerprint(Some(b"ab"), b"c"), fingerprint(Some(b"ab"), b"c"));
    assert_ne!(fingerprint(Some(b"ab"), b"c"), fingerprint(Some(b"a"), b"bc"));
    assert_ne!(fingerprint(Some(b""), b"c"), fingerprint(None, b"c"));
    assert_ne!(
        fingerprint(Some(b""), b"c"),
        Replays::default().fingerprint(CallerHash::default(), Some(b""), b"c").call
    );
}

#[tokio::test]
async fn the_oldest_of_4096_finished_calls_is_evicted_and_running_calls_stay() {
    let replays = Arc::default();
    let long = first(&replays, "long");
    // More calls than the maximum of finished calls may run at once, and each must be found.
    let many: Vec<_> =
        (0..MAX_FINISHED + 100).map(|number| first(&replays, &number.to_string())).collect();
    assert!(!is_new(&replays, "0") && !is_new(&replays, "4195"));

    for running in many {
        running.finish(&ok("done"));
    }

    assert_eq!(size(&replays), (MAX_FINISHED + 1, MAX_FINISHED));
    assert!(!is_new(&replays, "long"));
    assert_eq!(read(&replays, "100").await, "done");
    assert!(is_new(&replays, "99"));
    drop(long);
}

#[tokio::test(start_paused = true)]
async fn each_finished_call_evicts_up_to_two_expired_ones() {
    let replays = Arc::default();
    for number in 0..10 {
        first(&replays, &number.to_string()).finish(&ok("old"));
    }
    advance(WINDOW).await;
    assert_eq!(size(&replays), (10, 10));

    // This id is used again: evicting the old call must not remove the response of the new call.
    first(&replays, "5").finish(&ok("new"));
    assert_eq!(size(&replays), (8, 9));
    for number in 10..20 {
        first(&replays, &number.to_string()).finish(&ok("new"));
    }

    assert_eq!(size(&replays), (11, 11));
    assert_eq!(read(&replays, "5").await, "new");
}

#[tokio::test]
async fn a_dropped_call_is_removed_and_its_copies_get_an_error() {
    let replays = Arc::default();
    let running = first(&replays, "0");
    let mut waiting = pin!(read(&replays, "0"));
    assert!(poll!(&mut waiting).is_pending());

    drop(running);

    assert_eq!(
        waiting.await,
        "{\"type\":3,\"invocationId\":\"0\",\"error\":\"this invocation was already started, and the app stopped before it ended\"}\x1e"
    );
    assert_eq!(size(&replays), (0, 0));
}

#[tokio::test]
async fn copies_whose_peers_disconnected_are_removed() {
    let replays = Arc::default();
    let _running = first(&replays, "0");

    for _ in 0..1000 {
        drop(copy(&replays, &call("0"), BODY));
    }

    let table = replays.table.lock();
    let State::Running { copies } = table.calls.values().next().unwrap() else {
        panic!("it has ended")
    };
    assert!(copies.capacity() < 10, "{}", copies.capacity());
}
