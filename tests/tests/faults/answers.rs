//! Apps that hang, respond slowly, fail or send invalid responses. The tests check what the caller
//! receives, and that no other client is affected.

use std::time::Duration;

use hub_core::protocol::Outcome;
use test_support::{until, within};
use tests::history::Event;

use crate::{
    level::Scenario,
    proxied_world::{CALL_TIME, ProxiedWorld, pass},
    proxy::{
        Direction::{Down, Up},
        Fault,
    },
    recording_client::RecordingClient,
    upstream,
};

const NO_ANSWER: &str = "Invocation failed, status code 500";

/// Makes one call whose upstream response is replaced by `answer`, then checks that the next call
/// succeeds.
async fn answered_with(world: &ProxiedWorld, answer: &'static [u8]) -> Result<(), String> {
    let client = world.client().await;
    let struck = world.upstream.struck();
    until("the app receives connected", || world.knows(&client.id)).await;
    world.upstream.arm(Up, 0, Fault::Answers(answer));

    let answer = client.invoke("add").await.map(drop);

    assert_eq!(world.upstream.struck(), struck + 1);
    assert_eq!(world.runs(&client.id), 0, "the app saw nothing");
    until("the connection closes", || world.upstream.open() == 0).await;
    assert_eq!(client.invoke("add").await.map(drop), Ok(()), "the next call works");
    client.leave().await;
    world.all_told().await;
    answer
}

/// The error texts are part of the contract, whatever the app sends.
#[test]
fn a_500_or_a_malformed_response_is_an_error_and_the_next_call_works() {
    const TOO_LARGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nx";
    let cases = [
        ("HTTP/1.1 500 X\r\nContent-Length: 6\r\n\r\nsecret", NO_ANSWER),
        (
            "HTTP/1.1 503 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
            "Invocation failed, status code 503",
        ),
        (
            "HTTP/1.1 301 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            "Invocation failed, status code 301",
        ),
        ("220 mail.example ESMTP\r\n", NO_ANSWER),
        ("\0\u{1}\u{2}\u{3}", NO_ANSWER),
        ("HTTP/9.9 200 OK\r\n\r\n", NO_ANSWER),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", NO_ANSWER),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", NO_ANSWER),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", NO_ANSWER),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "Invocation failed, error: "),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "Invocation failed, error: ",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            "Invocation failed, error: ",
        ),
        (TOO_LARGE, "Invocation failed, response too large."),
        ("", NO_ANSWER),
    ];
    Scenario::rounds(3).warm(2).run(async |world, _| {
        for (answer, text) in cases {
            let error = answered_with(world, answer.as_bytes()).await.unwrap_err();
            assert!(error.starts_with(text), "{answer:?}: {error}");
            assert!(!error.contains("secret"));
        }
    });
}

/// A client would close its connection on such a response, or wait for its call for ever.
#[test]
fn a_200_without_the_completion_of_the_call_is_an_error_and_the_next_call_works() {
    const NO_COMPLETION: &str = "Invocation failed, response is no completion.";
    let cases: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngarbage",
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"type\":3}\x1e",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"type\":3,\"invocationId\":\"of another\",\"result\":1}\x1e",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\x95\x03\x80\xa17\xff",
    ];
    Scenario::rounds(3).warm(2).run(async |world, _| {
        for answer in cases {
            assert_eq!(answered_with(world, answer).await, Err(NO_COMPLETION.to_owned()));
        }
    });
}

/// The request or the response stalls: before its first byte, in the head of the request, in its
/// body, before the response, or inside the response.
#[test]
fn an_app_that_hangs_is_a_500_after_the_timeout_and_delays_no_other_call() {
    Scenario::rounds(5).warm(2).run(async |world, round| {
        let client = world.client().await;
        let length = upstream::length(world, Up, &client).await;
        let places = [(Up, 0), (Up, 100), (Up, length - 5), (Down, 0), (Down, 60)];
        let (direction, after) = places[round % places.len()];
        let struck = world.upstream.struck();
        world.upstream.arm(direction, after, Fault::Hangs);

        let (number, answer) = client.begin("add");
        until("the fault strikes", || world.upstream.struck() > struck).await;
        for _ in 0..3 {
            assert_eq!(world.steady.invoke("add").await.map(drop), Ok(()));
        }
        assert!(!answered(world, &client, number), "the others did not wait for it");
        pass(CALL_TIME).await;

        let answer = within("an answer", answer).await.unwrap();
        assert_eq!(answer, Outcome::Error(NO_ANSWER.to_owned()));
        assert_eq!(client.invoke("add").await.map(drop), Ok(()), "the next call works");
        client.leave().await;
        world.all_told().await;
    });
}

fn answered(world: &ProxiedWorld, client: &RecordingClient, call: u64) -> bool {
    let is_its = |event: &Event| {
        matches!(event, Event::Completed { client: whose, number, .. }
            if *whose == client.id && *number == call)
    };
    world.history.count(is_its) > 0
}

#[test]
fn a_slow_app_delays_only_its_caller_and_keeps_order() {
    Scenario::rounds(3).warm(2).run(async |world, _| {
        let client = world.client().await;
        let (slow, _waiting) = client.begin("dawdle");
        let (behind, answer) = client.begin("add");
        until("it runs", || world.runs(&client.id) > 0).await;

        for _ in 0..3 {
            assert_eq!(world.steady.invoke("add").await.map(drop), Ok(()));
        }
        assert!(!answered(world, &client, slow), "the others did not wait for it");
        assert_eq!(world.runs(&client.id), 1, "its own calls wait");

        assert_eq!(world.steady.invoke("wake").await.map(drop), Ok(()));
        within("an answer", answer).await.unwrap();
        assert!(answered(world, &client, slow) && answered(world, &client, behind));
        client.leave().await;
        world.all_told().await;
    });
}

/// Delays and byte-by-byte delivery, on each of the three links and in both directions.
#[test]
fn slow_connections_lose_and_reorder_nothing() {
    let faults = [Fault::Delays(Duration::from_millis(2)), Fault::Dribbles];
    Scenario::rounds(6).warm(6).run(async |world, round| {
        let proxy = [&world.clients, &world.upstream, &world.rest][round % 3];
        let direction = if round < 3 { Up } else { Down };
        proxy.keep(direction, faults[(round / 3 + round) % 2]);

        let client = world.client().await;
        assert_eq!(client.invoke("add").await.map(drop), Ok(()));
        assert_eq!(client.invoke("tell").await.unwrap(), "accepted");

        assert!(proxy.struck() > 0);
        assert_eq!(client.garbage(), 0);
        client.leave().await;
        world.all_told().await;
    });
}
