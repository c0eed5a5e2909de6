//! Client connections that break at every byte of a short conversation.

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

/// Connects, makes two calls, receives a message and disconnects.
async fn talk(world: &ProxiedWorld) -> Result<(), String> {
    let client = world.try_client().await?;
    client.invoke("add").await?;
    assert_eq!(client.invoke("tell").await?, "accepted");
    client.leave().await;
    Ok(())
}

/// Returns the number of bytes in one direction up to the handshake response, and up to the last
/// completion.
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

/// Alternates between an orderly close and a reset.
fn fault(at: usize) -> Fault {
    if at.is_multiple_of(2) { Fault::Closes } else { Fault::Resets }
}

/// Breaks the connections of successive clients, each at a later byte.
async fn cut_clients(world: &ProxiedWorld, direction: Direction, step: usize) {
    let (connected, all) = lengths(world, direction).await;
    // The handshake is the last exchange before a client is connected.
    let heads = connected - 60;
    let places = (0..heads).step_by(STRIDE).chain(heads..all).step_by(step);
    for at in places {
        let struck = world.clients.struck();
        world.clients.arm(direction, at, fault(at));

        let outcome = talk(world).await;

        assert_eq!(world.clients.struck(), struck + 1, "at {at}");
        // The conversation must fail: the fault breaks the connection before its last byte.
        assert!(outcome.is_err(), "{direction:?} {at} of {all}");
        until("the connection is cut", || world.clients.open() == 0).await;
    }
    world.all_told().await;
}

#[test]
fn a_break_at_any_byte_a_client_sends_affects_no_other_client() {
    Scenario::sweep(async |world, step| cut_clients(world, Up, step).await);
}

#[test]
fn a_break_at_any_byte_a_client_receives_affects_no_other_client() {
    Scenario::sweep(async |world, step| cut_clients(world, Down, step).await);
}

/// Half-open: no bytes pass, and neither side closes.
#[test]
fn a_client_with_a_hanging_socket_is_disconnected_after_the_timeout() {
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

        // The proxy still holds the connection open here.
        pass(CLIENT_TIME).await;
        world.all_told().await;
        assert_eq!((world.service.counters().connections, client.ended()), (1, None));
    });
}
