//! TCP connections that break at every byte of a short conversation, between each two of the three.

use crate::{
    level::Scenario,
    proxied_world::{CLIENT_TIME, ProxiedWorld, pass},
    proxy::{
        Direction::{self, Down, Up},
        Fault,
    },
};
use test_support::until;

/// The step in bytes between two cuts in HTTP heads; WebSocket frames are cut at every byte.
const STRIDE: usize = 11;

/// Connects, calls, receives a message and leaves.
async fn talk(world: &ProxiedWorld) -> Result<(), String> {
    let client = world.try_client().await?;
    client.invoke("add").await?;
    assert_eq!(client.invoke("tell").await?, "accepted");
    client.leave().await;
    Ok(())
}

/// How many bytes go each way until a client is in, and until it has left.
async fn lengths(world: &ProxiedWorld, direction: Direction) -> (usize, usize) {
    world.clients.count();
    let client = world.client().await;
    let connected = world.clients.passed(direction);
    client.invoke("add").await.unwrap();
    client.invoke("tell").await.unwrap();
    let all = world.clients.passed(direction);
    client.leave().await;
    until("the last connection closes", || world.clients.open() == 0).await;
    (connected, all)
}

/// An orderly end and a reset by turns.
fn fault(at: usize) -> Fault {
    if at.is_multiple_of(2) { Fault::Closes } else { Fault::Resets }
}

/// One client after the other is cut off, each a little later.
async fn cut_clients(world: &ProxiedWorld, direction: Direction, step: usize) {
    let (connected, all) = lengths(world, direction).await;
    // The handshake is what comes last before a client is in.
    let heads = connected - 60;
    let places = (0..heads).step_by(STRIDE).chain(heads..all).step_by(step);
    for at in places {
        let struck = world.clients.struck();
        world.clients.arm(direction, at, fault(at));

        let outcome = talk(world).await;

        assert_eq!(world.clients.struck(), struck + 1, "at {at}");
        // It reads that the connection is gone, or has read all of it.
        assert!(outcome.is_err(), "{direction:?} {at} of {all}");
        until("the connection is cut", || world.clients.open() == 0).await;
    }
    world.all_told().await;
}

#[test]
fn a_client_cut_off_at_any_byte_it_sends_disturbs_no_other() {
    Scenario::sweep(async |world, step| cut_clients(world, Up, step).await);
}

#[test]
fn a_client_cut_off_at_any_byte_it_is_sent_disturbs_no_other() {
    Scenario::sweep(async |world, step| cut_clients(world, Down, step).await);
}

/// Half-open: nothing arrives any more, and no side closes.
#[test]
fn a_client_whose_connection_hangs_is_told_as_gone_when_its_time_is_over() {
    Scenario::rounds(3).warm(2).run(async |world, round| {
        let client = world.client().await;
        client.ping();
        assert_eq!(client.invoke("tell").await.unwrap(), "accepted");
        let direction = [Up, Down][round % 2];
        let struck = world.clients.struck();
        world.clients.arm(direction, 0, Fault::Hangs);
        let (_, _unanswered) = client.begin("add");
        until("the fault strikes", || world.clients.struck() > struck).await;

        assert_eq!(world.steady.invoke("tell").await.unwrap(), "accepted");

        // While the connection still hangs.
        pass(CLIENT_TIME).await;
        world.all_told().await;
        assert_eq!((world.service.counters().connections, client.ended()), (1, None));
    });
}
