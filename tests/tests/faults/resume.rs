//! Stateful reconnect: sockets that break at every byte, and a peer that does not notice the break.

use crate::{
    level::Scenario,
    proxied_world::{CLIENT_TIME, ProxiedWorld, pass},
    proxy::{
        Direction::{self, Down, Up},
        Fault,
    },
    recording_client::RecordingClient,
};
use test_support::{until, within};

/// The distance in bytes between two faults. It is small enough that each of the three kinds of fault
/// occurs in each part of a frame.
const STRIDE: usize = 5;

fn fault(at: usize) -> Fault {
    [Fault::Closes, Fault::Resets, Fault::ClosesOneSide][at % 3]
}

/// The number of calls in a conversation.
const CALLS: usize = 3;

/// Makes three concurrent calls while the other client broadcasts. All calls must complete,
/// whatever happens to the socket.
async fn talk(world: &ProxiedWorld, client: &RecordingClient) {
    let waiting = ["add", "tell", "add"].map(|method| client.begin(method).1);
    assert_eq!(world.steady.invoke("tell").await.unwrap(), "accepted");
    for answer in waiting {
        within("an answer", answer).await.unwrap();
    }
    assert_eq!(client.ended(), None);
}

/// Returns the number of bytes of a talk in one direction.
async fn length(world: &ProxiedWorld, client: &RecordingClient, direction: Direction) -> usize {
    world.clients.count();
    talk(world, client).await;
    world.clients.passed(direction)
}

async fn cut(world: &ProxiedWorld, direction: Direction, step: usize) {
    let client = world.resuming_client().await;
    let length = length(world, &client, direction).await;
    let places = (0..length).step_by(STRIDE * step);
    let talks = 1 + places.len();
    for at in places {
        let struck = world.clients.struck();
        world.clients.arm(direction, at, fault(at / STRIDE));
        talk(world, &client).await;
        assert_eq!(world.clients.struck(), struck + 1, "at {at} of {length}");
    }
    let (id, sockets) = (client.id.clone(), client.sockets());
    client.leave().await;
    world.all_told().await;
    assert_eq!((world.runs(&id), sockets), (CALLS * talks, talks));
}

#[test]
fn a_break_at_any_sent_byte_loses_and_duplicates_nothing() {
    Scenario::sweep(async |world, step| cut(world, Up, step).await);
}

#[test]
fn a_break_at_any_received_byte_loses_and_duplicates_nothing() {
    Scenario::sweep(async |world, step| cut(world, Down, step).await);
}

/// The first cut is in the middle of the talk. The second is while the client resumes: in the head
/// of the upgrade, before or in the sequence message, or in the messages that are sent again.
#[test]
fn a_break_during_a_resume_loses_and_duplicates_nothing() {
    Scenario::sweep(async |world, step| {
        let client = world.resuming_client().await;
        for direction in [Up, Down] {
            for after in (0..900).step_by(17 * step) {
                world.clients.arm(Down, 50, Fault::Resets);
                world.clients.then(direction, after, fault(after));
                talk(world, &client).await;
                world.clients.heal();
            }
        }
        talk(world, &client).await;
        client.leave().await;
        world.all_told().await;
    });
}

#[test]
fn a_client_that_never_resumes_is_disconnected_and_leaves_no_resources() {
    Scenario::rounds(1).warm(1).run(async |world, _| {
        let client = world.resuming_client().await;
        until("the app receives connected", || world.knows(&client.id)).await;
        assert_eq!(client.invoke("tell").await.unwrap(), "accepted");

        drop(client);
        assert_eq!(world.steady.invoke("tell").await.unwrap(), "accepted");
        assert_eq!(world.service.counters().connections, 2, "the lost connection still counts");

        pass(CLIENT_TIME).await;
        world.all_told().await;
        assert_eq!(world.service.counters().connections, 1);
    });
}
