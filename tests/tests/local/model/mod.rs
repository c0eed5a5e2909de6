//! Runs random operations on the whole service and compares it with a reference model.
//!
//! The operations are those of clients over all transports and in both protocols, of REST callers in all
//! versions, and of an app. They run on one thread in paused time, so that a seed always produces the same
//! history. After each operation the test waits until all tasks are idle. Then it compares the messages that
//! clients received, the upstream calls, and the responses to REST calls.
//!
//! `HUB_MODEL_SEED=n` runs one seed and prints its history. `HUB_MODEL_SEEDS=n` runs `n` new seeds.
//! `HUB_MODEL_STEPS=n` sets the number of operations. A failed test prints the seed and the shortest failing
//! list of operations that it found.

mod callers;
mod checks;
mod client;
mod client_model;
mod disconnects;
mod driver;
mod inbox;
mod members;
mod operations;
mod random;
mod readers;
mod reference;
mod rest;
mod upstream;

use std::{panic::AssertUnwindSafe, time::Duration};

use self::{
    client_model::Stage,
    driver::{Driver, Failure},
    operations::{ConnectOptions, Operation, TokenLifetime, Transport, choose},
    random::Random,
    reference::close,
};

const STEPS: usize = 150;
/// The seeds that every run uses. Each run also tries `FRESH` new seeds.
const SEEDS: std::ops::Range<u64> = 1..31;
const FRESH: usize = 10;
/// The number of history lines that a failure prints.
const SHOWN: usize = 30;
/// The number of attempts to shorten a failing list of operations.
const ATTEMPTS: usize = 300;

struct Failed {
    step: usize,
    what: Failure,
    history: String,
}

/// Runs operations on a new service. Returns the history.
fn run(operations: &[Operation]) -> Result<String, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (mut step, mut history) = (0, String::new());
    let running = AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut driver = Driver::start().await;
            let outcome = drive(&mut driver, operations, &mut step).await;
            history = std::mem::take(&mut driver.history);
            outcome
        })
    });
    match std::panic::catch_unwind(running) {
        Ok(Ok(())) => Ok(history),
        Ok(Err(what)) => Err(Failed { step, what, history }),
        Err(_) => Err(Failed { step, what: "a panic, see above".to_owned(), history }),
    }
}

async fn drive(
    driver: &mut Driver,
    operations: &[Operation],
    step: &mut usize,
) -> Result<(), Failure> {
    for operation in operations {
        let since = driver.reference.now;
        driver.history.push_str(&format!("\n{step} at {since}: {operation:?}"));
        driver.perform(operation).await?;
        driver.compare(since).await?;
        *step += 1;
    }
    stop(driver).await
}

/// Stops the service. Checks that every client receives a close message and that no task is left.
async fn stop(driver: &mut Driver) -> Result<(), Failure> {
    let since = driver.reference.now;
    driver.history.push_str(&format!("\nstop at {since}"));
    let service = driver.service.clone();
    let stopping = tokio::spawn(async move { service.shutdown().await });
    for it in 0..driver.clients.len() {
        if driver.reference.models[it].stage != Stage::Closed {
            driver.reference.end(it, Some(close(None, true)), None);
        }
    }
    driver.compare(since).await?;
    let options = ConnectOptions {
        hub: 0,
        user: None,
        transport: Transport::Polling,
        messagepack: false,
        resumes: false,
        token_lifetime: TokenLifetime::Lasting,
        delay_seconds: 0,
        sends_handshake: true,
    };
    let mut requests =
        client::Requests::new(&driver.service, &options, driver.reference.unix_seconds());
    let refused = requests.negotiate(false).await.err().unwrap_or(200);
    driver.answered("late", refused, 503)?;
    driver.pass(30_000).await;
    driver.compare(since).await?;
    if !stopping.is_finished() {
        return Err("the service does not stop".to_owned());
    }
    for client in &mut driver.clients {
        client.hang_up();
    }
    driver.pass(1).await;
    let counters = driver.service.counters();
    if (counters.connections, counters.waiting_clients, counters.waiting_bytes) != (0, 0, 0) {
        return Err(format!("something is left: {counters:?}"));
    }
    match tokio::runtime::Handle::current().metrics().num_alive_tasks() {
        0 => Ok(()),
        tasks => Err(format!("{tasks} tasks are left")),
    }
}

/// Runs a seed. Panics with the details of a failure.
fn check(seed: u64, steps: usize) {
    let operations = choose(&mut Random::new(seed), steps);
    let failed = match run(&operations) {
        Ok(history) if number("HUB_MODEL_SEED").is_some() => return println!("{history}"),
        Ok(_) => return,
        Err(failed) => failed,
    };
    let shortest = shorten(&operations[..operations.len().min(failed.step + 1)]);
    let again = run(&shortest).err().unwrap_or(failed);
    let lines: Vec<_> = again.history.lines().collect();
    let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
    panic!(
        "seed {seed} fails: {}\n\n{} operations of {steps} are enough; the last of them:\n{last}\n\n\
         again: HUB_MODEL_SEED={seed} HUB_MODEL_STEPS={steps} cargo test -p tests --test local \
         model -- --nocapture\n",
        again.what,
        shortest.len(),
    );
}

/// Removes operations while the list still fails, starting with large blocks.
fn shorten(operations: &[Operation]) -> Vec<Operation> {
    let (mut shortest, mut attempts) = (operations.to_vec(), 0);
    let mut size = shortest.len().div_ceil(2);
    while size > 0 && attempts < ATTEMPTS {
        let (mut at, before) = (0, shortest.len());
        while at < shortest.len() && attempts < ATTEMPTS {
            let mut fewer = shortest.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            attempts += 1;
            match run(&fewer) {
                Err(_) => shortest = fewer,
                Ok(_) => at += size,
            }
        }
        if size == 1 && shortest.len() == before {
            break;
        }
        size = if size == 1 { 1 } else { size / 2 };
    }
    shortest
}

fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap())
}

fn fresh() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO).as_nanos() as u64
}

#[test]
fn a_random_run_matches_the_reference() {
    let steps = number("HUB_MODEL_STEPS").map_or(STEPS, |steps| steps as usize);
    let mut random = Random::new(fresh());
    let mut some = |count| (0..count).map(|_| random.next()).collect::<Vec<_>>();
    let seeds = match (number("HUB_MODEL_SEED"), number("HUB_MODEL_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(count)) => some(count as usize),
        (None, None) => SEEDS.chain(some(FRESH)).collect(),
    };
    for seed in seeds {
        println!("seed {seed}, {steps} operations");
        check(seed, steps);
    }
}

#[test]
fn one_seed_always_gives_the_same_history() {
    for seed in [100, 101] {
        let operations = choose(&mut Random::new(seed), STEPS);
        let histories = [(); 2].map(|()| run(&operations));
        let [Ok(one), Ok(other)] = histories else { panic!("seed {seed} fails") };

        assert!(one.len() > 10_000);
        let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None);
        assert_eq!(one.len(), other.len());
    }
}
