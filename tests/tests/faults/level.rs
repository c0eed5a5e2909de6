//! After a fault everything is as it was before: live bytes and tasks return to their level.
//!
//! A world runs on one thread, so the count is exact: the counting allocator counts for each thread, and
//! what other tests do meanwhile does not disturb it.
#![allow(clippy::needless_pass_by_value, reason = "a scenario is written where it is handed over")]

use allocation_counter::measure;
use test_support::{until, within};
use tokio::runtime::{Builder, Handle};

use crate::proxied_world::ProxiedWorld;

/// Multiplies all counts of rounds, for long runs.
const VARIABLE: &str = "FAULT_ROUNDS";

/// Something that goes wrong, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    rounds: usize,
    warm: usize,
}

/// The step in bytes of a warm-up round.
const COARSE: usize = 16;

/// How many times as many rounds are asked for.
pub(crate) fn times() -> usize {
    std::env::var(VARIABLE).map_or(1, |text| text.parse().expect("FAULT_ROUNDS is a number"))
}

impl Scenario {
    /// This many rounds, after the warm-up.
    pub(crate) fn rounds(rounds: usize) -> Self {
        Self { rounds: rounds * times(), warm: 8 }
    }

    /// Runs a scenario that goes over all bytes of a conversation, given how many it may leave out between
    /// two that it tries: all are tried in the round that counts.
    pub(crate) fn sweep(scenario: impl AsyncFn(&ProxiedWorld, usize)) {
        let warm = std::cell::Cell::new(true);
        Self::rounds(1).warm(1).run(async |world, _| {
            let step = if warm.replace(false) { COARSE } else { 1 };
            scenario(world, step).await;
        });
    }

    /// This many warm-up rounds, in which pools and tables fill.
    pub(crate) fn warm(self, warm: usize) -> Self {
        Self { warm, ..self }
    }

    /// Runs it again and again in one world, given the number of the round, and checks all that must be
    /// true afterwards: nothing promised was lost or doubled, the steady client is there and is served,
    /// and within 1 % as much memory is in use and as many tasks run as before.
    pub(crate) fn run(self, scenario: impl AsyncFn(&ProxiedWorld, usize)) {
        let mut made = None;
        let before = measure(|| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let world = runtime.block_on(async {
                let mut world = ProxiedWorld::start().await;
                for round in 0..self.warm {
                    one(&scenario, &world, round).await;
                }
                world.rest_a_while().await;
                world
            });
            let tasks = runtime.handle().metrics().num_alive_tasks();
            made = Some((runtime, world, tasks));
        });
        let (runtime, mut world, tasks) = made.unwrap();

        let after = measure(|| {
            runtime.block_on(async {
                for round in 0..self.rounds {
                    one(&scenario, &world, round).await;
                }
                world.rest_a_while().await;
                let alive = || Handle::current().metrics().num_alive_tasks();
                until(&format!("the return to {tasks} tasks"), || alive() == tasks).await;
            });
        });

        let (rounds, level, change) = (self.rounds, before.bytes_current, after.bytes_current);
        println!("{rounds} rounds: {change:+} bytes of {level} live, {tasks} tasks");
        assert!(change * 100 <= level, "{rounds} rounds left {change} bytes of {level}");
        drop(world);
        drop(runtime);
    }
}

async fn one(scenario: &impl AsyncFn(&ProxiedWorld, usize), world: &ProxiedWorld, round: usize) {
    within("a round", scenario(world, round)).await;
    world.settle().await;
}
