//! A cancel that races the completion of its call: each call completes once, in every order.

use hub_local::Limits;
use serde_json::json;

use super::cancel;
use crate::support::{App, Client, Fixture};

const RUNS: u32 = 10_000;

/// Pseudo-random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        for shift in [13_i32, -7, 17] {
            self.0 ^= if shift > 0 { self.0 << shift } else { self.0 >> -shift };
        }
        self.0 % end
    }
}

async fn yields(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// How many calls were cancelled, and how many had completed before.
#[derive(Debug, Default)]
struct Counts {
    cancelled: u32,
    completed: u32,
}

/// An app that yields as often as its argument says before it responds.
fn yielding() -> App {
    App::new(|call| async move {
        let times = call.json()["arguments"][0].as_u64().unwrap_or_default();
        yields(times % 100).await;
        call.completion(&json!(times))
    })
}

/// Calls, cancels and calls again with the same id or another one, with random yields between. The next run follows
/// when both calls have completed, so a second completion of a call would be taken for that of the next.
async fn race(client: &mut Client, random: &mut Random, run: u32, counts: &mut Counts) {
    let ids = match random.below(4) {
        0 => ["same".to_owned(), "same".to_owned()],
        _ => [format!("{run}"), format!("{run}+")],
    };
    let is_queued = random.below(4) == 0;
    if is_queued {
        client.begin("before", "m", json!([random.below(6)])).await;
    }
    client.begin(&ids[0], "m", json!([random.below(12)])).await;
    yields(random.below(24)).await;
    cancel(client, &ids[0]).await;
    let completion = async |client: &mut Client| loop {
        let completion = client.recv().await;
        assert_eq!(completion["type"], 3, "{completion}");
        if completion["invocationId"] != "before" {
            return completion;
        }
    };
    // The same id again while the first call has not completed would be a mistake of the client.
    let first = if ids[0] == ids[1] { Some(completion(client).await) } else { None };
    let next = 100 + random.below(3);
    client.begin(&ids[1], "m", json!([next])).await;
    let first = match first {
        Some(first) => first,
        None => completion(client).await,
    };
    let second = completion(client).await;

    assert_eq!((&first["invocationId"], &second["invocationId"]), (&json!(ids[0]), &json!(ids[1])));
    assert_eq!(second["result"], next, "the result of the first call, or its cancel: {second}");
    match first["error"].as_str() {
        Some(error) => {
            assert_eq!(error, "The invocation was canceled.");
            counts.cancelled += 1;
        }
        None => counts.completed += 1,
    }
}

async fn races(seed: u64, runs: u32) -> Counts {
    let fixture = Fixture::with(yielding(), Limits::default());
    let mut client = fixture.client("ada").await;
    let (mut random, mut counts) = (Random(seed), Counts::default());
    for run in 0..runs {
        race(&mut client, &mut random, run, &mut counts).await;
    }
    counts
}

/// One thread: the yields decide which task is next, so each seed is one order of all steps.
#[tokio::test(start_paused = true)]
async fn in_ten_thousand_seeded_orders_each_call_completes_once() {
    let counts = races(0x5eed, RUNS).await;

    assert!(counts.cancelled > RUNS / 10 && counts.completed > RUNS / 10, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_threads_each_call_completes_once() {
    let racing = [1, 2].map(|seed| tokio::spawn(races(seed, RUNS / 5)));
    for race in racing {
        let counts = race.await.unwrap();

        assert!(counts.cancelled > 100 && counts.completed > 100, "{counts:?}");
    }
}
