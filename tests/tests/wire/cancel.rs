//! Calls that their client cancels, from the client to the method. Each test runs with the embedded service and with a
//! service that is connected over HTTP.

use std::{sync::Arc, time::Duration};

use hub_runtime::{HubApp, SignalR, prelude::*};
use serde_json::{Value, json};
use test_support::{Client, World};
use tokio::sync::{Mutex, Notify, mpsc};

#[hub_client]
trait AskingClient {
    async fn confirm(&self, question: &str) -> bool;
}

struct Cancelling {
    told: mpsc::UnboundedSender<String>,
    gate: Arc<Notify>,
}

#[serverless_hub(client = AskingClient)]
impl Cancelling {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user(request.bearer_token().or_reject("who are you?")?))
    }

    async fn on_disconnected(&self) {
        self.tell("disconnected");
    }

    /// Ends when the test opens the gate, however soon it is cancelled.
    async fn held(&self, ctx: &Context<Self>) -> HubResult<u32> {
        self.tell("held begins");
        ctx.cancellation().cancelled().await;
        self.tell("held is cancelled");
        self.gate.notified().await;
        self.tell("held ends");
        Ok(1)
    }

    async fn ask(&self, ctx: &Context<Self>) -> HubResult<bool> {
        let answer = tokio::select! {
            answer = ctx.clients().caller().confirm("Sure?") => answer,
            () = ctx.cancellation().cancelled() => {
                self.tell("ask is cancelled");
                return Err(HubError::rejected("cancelled"));
            }
        };
        Ok(answer?)
    }

    async fn numbered(&self, ctx: &Context<Self>, number: u32, yields: u32) -> HubResult<u32> {
        self.tell(format!("{number} begins"));
        for _ in 0..yields {
            tokio::task::yield_now().await;
            if ctx.cancellation().is_cancelled() {
                break;
            }
        }
        self.tell(format!("{number} ends"));
        Ok(number)
    }

    async fn echo(&self, number: u32) -> HubResult<u32> {
        self.tell(format!("echo {number}"));
        Ok(number)
    }
}

impl Cancelling {
    fn tell(&self, line: impl Into<String>) {
        // The test may have ended.
        let _ = self.told.send(line.into());
    }
}

/// The test's side of the hub.
struct Seen {
    told: Mutex<mpsc::UnboundedReceiver<String>>,
    gate: Arc<Notify>,
    /// Whether service and app are two servers.
    is_apart: bool,
}

impl Seen {
    async fn next(&self) -> String {
        let told = async { self.told.lock().await.recv().await.unwrap() };
        tokio::time::timeout(Duration::from_secs(30), told).await.unwrap()
    }
}

async fn cancel(client: &Client, id: &str) {
    client.send(&json!({ "type": 5, "invocationId": id })).await;
}

fn cancelled(id: &str) -> Value {
    json!({ "type": 3, "invocationId": id, "error": "The invocation was canceled." })
}

async fn a_running_method_sees_that_its_call_was_cancelled(world: World, seen: Seen) {
    let mut ada = world.connect("ada").await;
    ada.begin("a", "held", json!([])).await;
    assert_eq!(seen.next().await, "held begins");
    ada.begin("b", "echo", json!([5])).await;

    cancel(&ada, "a").await;

    assert_eq!(ada.recv().await, cancelled("a"));
    if seen.is_apart {
        // The end of the request and the next call reach the app in any order.
        let mut both = [seen.next().await, seen.next().await];
        both.sort_unstable();
        assert_eq!(both, ["echo 5", "held is cancelled"]);
        assert_eq!(ada.recv().await["result"], 5, "the next call does not wait for the method");
        seen.gate.notify_one();
        assert_eq!(seen.next().await, "held ends");
    } else {
        assert_eq!(seen.next().await, "held is cancelled");
        seen.gate.notify_one();
        assert_eq!(seen.next().await, "held ends");
        assert_eq!(seen.next().await, "echo 5", "the next call waits for the method");
        assert_eq!(ada.recv().await["result"], 5);
    }
    assert_eq!(ada.invoke("echo", json!([6])).await["result"], 6, "no second completion");
}

async fn a_method_that_waits_for_its_caller_sees_that_its_call_was_cancelled(
    world: World,
    seen: Seen,
) {
    let mut ada = world.connect("ada").await;
    ada.begin("a", "ask", json!([])).await;
    let question = ada.recv().await;
    assert_eq!(question["target"], "confirm");

    cancel(&ada, "a").await;

    assert_eq!(ada.recv().await, cancelled("a"));
    assert_eq!(seen.next().await, "ask is cancelled");
    ada.complete(&question, json!(true)).await;
    assert_eq!(ada.invoke("echo", json!([6])).await["result"], 6);
}

/// The calls of a client begin in order and one at a time, apart from those that it cancels.
async fn calls_that_were_not_cancelled_run_in_order(world: World, seen: Seen) {
    const CALLS: u32 = 300;
    let mut ada = world.connect("ada").await;
    let is_cancelled = |number: u32| number % 3 == 1;

    for number in 0..CALLS {
        ada.begin(&number.to_string(), "numbered", json!([number, number % 7])).await;
        if is_cancelled(number) {
            for _ in 0..number % 11 {
                tokio::task::yield_now().await;
            }
            cancel(&ada, &number.to_string()).await;
        }
    }

    let mut completions = vec![0; CALLS as usize];
    for _ in 0..CALLS {
        let completion = ada.recv().await;
        let number: u32 = completion["invocationId"].as_str().unwrap().parse().unwrap();
        completions[number as usize] += 1;
        let is_done = completion["result"] == number;
        assert!(is_done || is_cancelled(number) && completion["error"].is_string(), "{completion}");
    }
    assert_eq!(completions, vec![1; CALLS as usize]);
    let numbers = (0..CALLS).filter(|number| !is_cancelled(*number));
    let expected =
        numbers.flat_map(|number| [format!("{number} begins"), format!("{number} ends")]);
    let mut lines = Vec::new();
    let last = format!("{} ends", CALLS - 1);
    while lines.last() != Some(&last) {
        let line = seen.next().await;
        let number: u32 = line.split(' ').next().unwrap().parse().unwrap();
        if !is_cancelled(number) {
            lines.push(line);
        }
    }
    assert!(lines.into_iter().eq(expected));
}

macro_rules! in_both_worlds {
    ($($name:ident;)*) => {
        mod in_one_process {
            $(
                #[tokio::test]
                async fn $name() {
                    let (hub, seen) = super::hub(false);
                    super::$name(super::World::embedded(hub), seen).await;
                }
            )*
        }

        mod in_two {
            $(
                #[tokio::test]
                async fn $name() {
                    let (hub, seen) = super::hub(true);
                    super::$name(super::World::apart(hub).await, seen).await;
                }
            )*
        }
    };
}

fn hub(is_apart: bool) -> (Cancelling, Seen) {
    let (told, hears) = mpsc::unbounded_channel();
    let gate = Arc::new(Notify::new());
    let hub = Cancelling { told, gate: Arc::clone(&gate) };
    (hub, Seen { told: Mutex::new(hears), gate, is_apart })
}

in_both_worlds! {
    a_running_method_sees_that_its_call_was_cancelled;
    a_method_that_waits_for_its_caller_sees_that_its_call_was_cancelled;
    calls_that_were_not_cancelled_run_in_order;
}

#[tokio::test]
async fn over_http_a_cancelled_method_can_run_after_the_end_of_its_connection() {
    let (hub, seen) = hub(true);
    let world = World::apart(hub).await;
    let mut ada = world.connect("ada").await;
    ada.begin("a", "held", json!([])).await;
    assert_eq!(seen.next().await, "held begins");
    cancel(&ada, "a").await;
    assert_eq!(ada.recv().await, cancelled("a"));
    assert_eq!(seen.next().await, "held is cancelled");

    drop(ada);

    assert_eq!(seen.next().await, "disconnected");
    seen.gate.notify_one();
    assert_eq!(seen.next().await, "held ends");
}

/// Such a call is checked as over HTTP, because its body may be above the limit.
#[tokio::test]
async fn a_call_whose_size_must_be_checked_sees_that_it_was_cancelled() {
    let (hub, seen) = hub(false);
    let builder = HubApp::builder().signalr(SignalR::local()).max_body(120);
    let world = World::of(builder.hub(hub).build().unwrap());
    let mut ada = world.connect("ada").await;
    ada.begin("a", "held", json!([])).await;
    assert_eq!(seen.next().await, "held begins");

    cancel(&ada, "a").await;

    assert_eq!(ada.recv().await, cancelled("a"));
    assert_eq!(seen.next().await, "held is cancelled");
    seen.gate.notify_one();
    assert_eq!(seen.next().await, "held ends");
}
