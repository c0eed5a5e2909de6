//! Resource levels: after a fault, live bytes and tasks must return to their previous number.
//!
//! A world runs on one thread. The counting allocator counts per thread, so the counts are exact
//! and concurrent tests do not affect them.
#![allow(
    clippy::needless_pass_by_value,
    reason = "callers write the scenario in the argument list"
)]

use allocation_counter::measure;
use test_support::{until, within};
use tokio::runtime::{Builder, Handle};

use crate::proxied_world::ProxiedWorld;

/// The variable that multiplies the number of rounds, for long runs.
const VARIABLE: &str = "FAULT_ROUNDS";

/// The numbers of warm-up rounds and measured rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    rounds: usize,
    warm: usize,
}

/// The step in bytes of the warm-up round of a sweep.
const COARSE: usize = 16;

/// The factor from [`VARIABLE`]; 1 by default.
pub(crate) fn times() -> usize {
    std::env::var(VARIABLE).map_or(1, |text| text.parse().expect("FAULT_ROUNDS is a number"))
}

impl Scenario {
    /// Sets the number of measured rounds, which follow the warm-up.
    pub(crate) fn rounds(rounds: usize) -> Self {
        Self { rounds: rounds * times(), warm: 8 }
    }

    /// Runs a scenario that injects a fault at every byte of a conversation. Its second argument is
    /// the step in bytes: [`COARSE`] in the warm-up round and 1 in the measured round.
    pub(crate) fn sweep(scenario: impl AsyncFn(&ProxiedWorld, usize)) {
        let warm = std::cell::Cell::new(true);
        Self::rounds(1).warm(1).run(async |world, _| {
            let step = if warm.replace(false) { COARSE } else { 1 };
            scenario(world, step).await;
        });
    }

    /// Sets the number of warm-up rounds, in which pools and tables fill.
    pub(crate) fn warm(self, warm: usize) -> Self {
        Self { warm, ..self }
    }

    /// Runs the scenario repeatedly in one world, passing the number of the round. Afterwards no
    /// accepted message may be lost or duplicated, the steady client must still be connected and
    /// served, and memory use (within 2 %) and the number of tasks must be as before. The read buffer
    /// of a pooled HTTP connection alone, of up to 16 KiB, is more than 1 %.
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
        assert!(change * 50 <= level, "{rounds} rounds left {change} bytes of {level}");
        drop(world);
        drop(runtime);
    }
}

async fn one(scenario: &impl AsyncFn(&ProxiedWorld, usize), world: &ProxiedWorld, round: usize) {
    within("a round", scenario(world, round)).await;
    world.settle().await;
}
