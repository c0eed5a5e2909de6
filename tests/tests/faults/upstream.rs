//! Faults between the service and the app: what the caller receives, and that no call runs twice.

use hub_core::protocol::Outcome;

use crate::{
    level::Scenario,
    proxied_world::ProxiedWorld,
    proxy::{
        Direction::{self, Down, Up},
        Fault,
    },
    recording_client::RecordingClient,
};
use test_support::{until, within};

/// The error if no response arrived.
const NO_ANSWER: &str = "Invocation failed, status code 500";
/// The start of the error if the response was incomplete.
const HALF_AN_ANSWER: &str = "Invocation failed, error: ";

/// Returns the number of bytes of a call or of its response over a pooled connection.
pub(crate) async fn length(
    world: &ProxiedWorld,
    direction: Direction,
    client: &RecordingClient,
) -> usize {
    client.invoke("add").await.unwrap();
    world.upstream.count();
    client.invoke("add").await.unwrap();
    world.upstream.passed(direction)
}

/// Makes a call over a connection that breaks after this many bytes. Returns what the client
/// receives, and how often the method ran.
async fn broken(
    world: &ProxiedWorld,
    client: &RecordingClient,
    direction: Direction,
    after: usize,
) -> (Result<(), String>, usize) {
    let (struck, runs) = (world.upstream.struck(), world.runs(&client.id));
    let fault = if after.is_multiple_of(2) { Fault::Closes } else { Fault::Resets };
    world.upstream.arm(direction, after, fault);
    let answer = client.invoke("add").await.map(drop);
    until("the fault strikes", || world.upstream.struck() == struck + 1).await;
    until("the connection is cut", || world.upstream.open() == 0).await;
    (answer, world.runs(&client.id) - runs)
}

#[test]
fn a_call_with_a_truncated_request_gets_a_500_and_does_not_run() {
    Scenario::sweep(async |world, step| {
        let client = world.client().await;
        let length = length(world, Up, &client).await;
        for after in (0..length).step_by(step) {
            let (answer, runs) = broken(world, &client, Up, after).await;

            assert_eq!((answer, runs), (Err(NO_ANSWER.to_owned()), 0), "after {after}");
            if after % 50 == 0 {
                assert_eq!(client.invoke("add").await.map(drop), Ok(()), "the next call works");
            }
        }
        client.leave().await;
        world.all_told().await;
    });
}

#[test]
fn a_call_with_a_truncated_response_gets_an_error_and_runs_once() {
    Scenario::sweep(async |world, step| {
        let client = world.client().await;
        let length = length(world, Down, &client).await;
        for after in (0..length).step_by(step) {
            let (answer, runs) = broken(world, &client, Down, after).await;

            let error = answer.unwrap_err();
            assert!(error == NO_ANSWER || error.starts_with(HALF_AN_ANSWER), "{after}: {error}");
            assert_eq!(runs, 1, "after {after}");
            if after % 50 == 0 {
                assert_eq!(client.invoke("add").await.map(drop), Ok(()), "the next call works");
            }
        }
        client.leave().await;
        world.all_told().await;
    });
}

#[test]
fn an_idle_pooled_connection_that_breaks_costs_at_most_one_call() {
    Scenario::rounds(20).run(async |world, _| {
        let client = world.client().await;
        client.invoke("add").await.unwrap();
        let runs = world.runs(&client.id);
        world.upstream.cut_all();

        let answer = client.invoke("add").await.map(drop);

        // The pool notices the broken connection in time, or the call fails. It never runs twice.
        let ran = world.runs(&client.id) - runs;
        assert!(matches!((&answer, ran), (Ok(()), 1) | (Err(_), 0)), "{answer:?}, {ran} runs");
        assert_eq!(client.invoke("add").await.map(drop), Ok(()), "the next call works");
        client.leave().await;
        world.all_told().await;
    });
}

#[test]
fn calls_get_a_500_while_the_app_is_unreachable() {
    Scenario::rounds(10).run(async |world, _| {
        let client = world.client().await;
        client.invoke("add").await.unwrap();
        let app = world.upstream.leads_nowhere();
        until("connections close", || world.upstream.open() == 0).await;
        let runs = world.runs(&client.id);

        let calls: Vec<_> = (0..5).map(|_| client.begin("add").1).collect();
        for call in calls {
            let answer = within("an answer", call).await.unwrap();
            assert_eq!(answer, Outcome::Error(NO_ANSWER.to_owned()));
        }

        assert_eq!((world.runs(&client.id), client.ended()), (runs, None));
        world.upstream.leads_to(app);
        assert_eq!(client.invoke("add").await.map(drop), Ok(()));
        client.leave().await;
        world.all_told().await;
    });
}
