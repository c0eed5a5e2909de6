//! Faults between the app and the service: which error the sender receives, and that no message is
//! sent twice.

use bytes::Bytes;
use hub_core::protocol::Outcome;

use crate::{
    level::Scenario,
    proxied_world::{CALL_TIME, ProxiedWorld, pass},
    proxy::{
        Direction::{self, Down, Up},
        Fault,
    },
    recording_client::RecordingClient,
};
use test_support::{until, within};

/// The error if the message may have been sent.
const INTERRUPTED: &str = "the connection to the service broke before the response";
/// The error if the message was not sent.
const UNREACHABLE: &str = "the service could not be reached";

async fn length(world: &ProxiedWorld, direction: Direction, client: &RecordingClient) -> usize {
    client.invoke("tell").await.unwrap();
    world.rest.count();
    client.invoke("tell").await.unwrap();
    world.rest.passed(direction)
}

/// Sends a message over a connection that breaks after this many bytes. Returns the sender's
/// result, and how often the message arrived.
async fn broken(
    world: &ProxiedWorld,
    client: &RecordingClient,
    direction: Direction,
    after: usize,
) -> (String, usize) {
    let (struck, heard) = (world.rest.struck(), world.steady.heard(&client.id));
    let fault = if after.is_multiple_of(2) { Fault::Closes } else { Fault::Resets };
    world.rest.arm(direction, after, fault);
    let answer = client.invoke("tell").await.unwrap();
    assert_eq!(world.rest.struck(), struck + 1);
    until("the connection is cut", || world.rest.open() == 0).await;
    // Messages that were sent before this call arrive before its completion.
    world.steady.invoke("add").await.unwrap();
    (answer.as_str().unwrap().to_owned(), world.steady.heard(&client.id) - heard)
}

#[test]
fn a_message_with_a_truncated_request_reaches_no_client() {
    Scenario::sweep(async |world, step| {
        let client = world.client().await;
        let length = length(world, Up, &client).await;
        for after in (0..length).step_by(step) {
            let (told, came) = broken(world, &client, Up, after).await;
            assert_eq!((told.as_str(), came), (INTERRUPTED, 0), "after {after}");
        }
        client.leave().await;
        world.all_told().await;
    });
}

#[test]
fn a_message_with_a_truncated_response_reaches_every_client_once() {
    Scenario::sweep(async |world, step| {
        let client = world.client().await;
        let length = length(world, Down, &client).await;
        for after in (0..length).step_by(step) {
            let (told, came) = broken(world, &client, Down, after).await;
            assert_eq!((told.as_str(), came), (INTERRUPTED, 1), "after {after}");
        }
        client.leave().await;
        world.all_told().await;
    });
}

#[test]
fn an_idle_pooled_connection_that_breaks_costs_at_most_one_message() {
    Scenario::rounds(20).run(async |world, _| {
        let client = world.client().await;
        assert_eq!(client.invoke("tell").await.unwrap(), "accepted");
        world.rest.cut_all();

        let told = client.invoke("tell").await.unwrap();
        assert_eq!(client.invoke("tell").await.unwrap(), "accepted", "the next message is sent");

        // The pool notices the broken connection in time, or the send fails. The message is never
        // sent twice.
        world.steady.invoke("add").await.unwrap();
        let (told, came) = (told.as_str().unwrap(), world.steady.heard(&client.id));
        assert!(matches!((told, came), ("accepted", 3) | (INTERRUPTED, 2)), "{told}, {came} came");
        client.leave().await;
        world.all_told().await;
    });
}

#[test]
fn a_send_to_a_hanging_service_times_out_and_is_not_repeated() {
    Scenario::rounds(4).warm(4).run(async |world, round| {
        let client = world.client().await;
        let length = length(world, Up, &client).await;
        let heard = world.steady.heard(&client.id);
        let (direction, after, comes) =
            [(Up, 0, 0), (Up, 200, 0), (Up, length - 3, 0), (Down, 0, 1)][round % 4];
        let struck = world.rest.struck();
        world.rest.arm(direction, after, Fault::Hangs);

        let (_, answer) = client.begin("tell");
        until("the fault strikes", || world.rest.struck() > struck).await;
        pass(CALL_TIME / 2).await;

        let answer = within("an answer", answer).await.unwrap();
        let told = Bytes::from_static(b"\"the service did not respond within 10s\"");
        assert_eq!(answer, Outcome::Result(told));
        assert_eq!(world.rest.struck(), struck + 1);
        world.steady.invoke("add").await.unwrap();
        assert_eq!(world.steady.heard(&client.id) - heard, comes);
        client.leave().await;
        world.all_told().await;
    });
}

#[test]
fn sends_fail_while_the_service_is_unreachable_and_succeed_afterwards() {
    Scenario::rounds(10).run(async |world, _| {
        let client = world.client().await;
        assert_eq!(client.invoke("tell").await.unwrap(), "accepted");
        let service = world.rest.leads_nowhere();
        until("connections close", || world.rest.open() == 0).await;

        for _ in 0..5 {
            let told = client.invoke("tell").await.unwrap();
            assert!(told == INTERRUPTED || told == UNREACHABLE, "{told}");
        }

        world.steady.invoke("add").await.unwrap();
        assert_eq!(world.steady.heard(&client.id), 1);
        world.rest.leads_to(service);
        assert_eq!(client.invoke("tell").await.unwrap(), "accepted");
        client.leave().await;
        world.all_told().await;
    });
}
