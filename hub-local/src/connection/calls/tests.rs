use std::time::Duration;

use bytes::Bytes;

use super::*;

/// A queue and what its lanes need.
struct Fixture {
    queue: CallQueue,
    results: ClientResults,
    budget: DepartedBudget,
    permits: Permits,
}

fn fixture(budget: usize) -> Fixture {
    Fixture {
        queue: CallQueue::default(),
        results: ClientResults::default(),
        budget: DepartedBudget::new(budget),
        permits: Permits::new(100, usize::MAX),
    }
}

fn call(target: &str) -> UpstreamEvent {
    let target = target.to_owned();
    UpstreamEvent::Call(Call::new(None, target, Bytes::from_static(b"[]"), None))
}

fn invoke(id: &str) -> UpstreamEvent {
    let (invocation_id, target) = (Some(id.to_owned()), id.to_owned());
    UpstreamEvent::Call(Call::new(invocation_id, target, Bytes::from_static(b"[]"), None))
}

const DISCONNECTED: UpstreamEvent = UpstreamEvent::Disconnected { error: None };

impl Fixture {
    /// A client result begins. The second value is whether a lane opens for calls that wait.
    fn ask(&self) -> (PendingResult<'_>, bool) {
        self.queue.begin_result(&self.results).unwrap()
    }

    fn push(&self, event: UpstreamEvent) -> bool {
        self.queue.push(event, &self.results)
    }

    /// What a lane does next: the name of the event, or `end`.
    fn next(&self) -> String {
        match self.queue.next(&self.results, &self.budget, &self.permits, None) {
            Next::Deliver(UpstreamEvent::Connected, ..) => "connected".to_owned(),
            Next::Deliver(UpstreamEvent::Call(call), ..) => call.target,
            Next::Deliver(UpstreamEvent::Disconnected { .. }, ..) => "disconnected".to_owned(),
            Next::Wait(_) => "wait".to_owned(),
            Next::End => "end".to_owned(),
        }
    }
}

#[test]
fn calls_run_one_at_a_time_in_order() {
    let fixture = fixture(0);

    assert!(fixture.push(call("a")));
    assert!(!fixture.push(call("b")));
    assert!(!fixture.push(DISCONNECTED));

    assert_eq!(
        ["a", "b", "disconnected", "end"].map(|_| fixture.next()),
        ["a", "b", "disconnected", "end"]
    );
    assert!(fixture.push(call("c")));
}

#[test]
fn the_last_event_needs_no_permit_of_the_queue() {
    let fixture = fixture(0);
    let used: Vec<_> = (0..100).map(|_| fixture.permits.try_get(0).unwrap()).collect();

    assert!(fixture.push(call("a")));
    assert!(!fixture.push(DISCONNECTED));
    assert_eq!(fixture.next(), "wait");
    drop(used);
    assert_eq!(fixture.next(), "a");
    let _used: Vec<_> = (0..100).map(|_| fixture.permits.try_get(0).unwrap()).collect();

    assert_eq!(fixture.next(), "disconnected");
}

#[test]
fn while_the_client_is_asked_its_next_calls_go_upstream_in_order() {
    let fixture = fixture(0);
    assert!(fixture.push(call("asks")));
    assert_eq!(fixture.next(), "asks");
    assert!(!fixture.push(call("a")));

    let (asked, opens) = fixture.ask();
    assert!(opens);
    assert_eq!(fixture.next(), "a");
    assert!(!fixture.push(call("b")));
    assert_eq!(fixture.next(), "b");
    assert_eq!(fixture.next(), "end");
    assert!(fixture.push(call("c")));
    assert_eq!(fixture.next(), "c");

    // The result has arrived: again one at a time.
    drop(asked);
    assert!(!fixture.push(call("d")));
    assert_eq!(fixture.next(), "end");
    assert_eq!(fixture.next(), "d");
    assert_eq!(fixture.next(), "end");
}

#[test]
fn a_client_that_is_asked_many_times_has_a_bounded_number_of_calls() {
    let fixture = fixture(0);
    let begin = |_| fixture.results.begin(1).unwrap();
    let asked: Vec<_> = (0..100).map(begin).collect();

    let opened = (0..100).filter(|_| fixture.push(call("a"))).count();

    assert_eq!(opened, MAX_LANES);
    drop(asked);
}

#[test]
fn a_result_that_no_running_method_can_have_asked_for_does_not_change_the_order() {
    let fixture = fixture(0);
    let (asked, opens) = fixture.ask();

    assert!(!opens && fixture.push(call("a")));
    assert_eq!(fixture.next(), "a");
    assert!(fixture.queue.is_busy());
    assert!(!fixture.push(call("b")));
    drop(asked);
}

#[test]
fn the_end_of_a_connection_comes_after_all_of_its_calls() {
    let fixture = fixture(0);
    assert!(fixture.push(call("asks")));
    assert_eq!(fixture.next(), "asks");
    let (asked, _) = fixture.ask();
    assert!(fixture.push(call("a")));
    assert_eq!(fixture.next(), "a");
    drop(asked);

    assert!(!fixture.push(DISCONNECTED));
    assert_eq!(fixture.next(), "end");

    assert_eq!(fixture.next(), "disconnected");
}

#[test]
fn the_memory_of_a_call_counts_not_its_size_on_the_wire() {
    let fixture = fixture(0);
    fixture.push(call("a"));
    fixture.push(call("b"));

    let bytes = fixture.queue.queue.lock().bytes;

    assert!(bytes >= 2 * (size_of::<UpstreamEvent>() + "a[]".len()), "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn an_event_without_a_permit_stays_in_the_queue_and_counts() {
    let fixture = Fixture { permits: Permits::new(1, usize::MAX), ..fixture(0) };
    let other = fixture.permits.try_get(0).unwrap();
    fixture.push(call("a"));

    assert_eq!(fixture.next(), "wait");
    assert!(fixture.queue.queue.lock().bytes > 0);
    let waiting = fixture.permits.get(0);
    drop(other);
    let permit = tokio::time::timeout(Duration::from_secs(1), waiting).await.unwrap();
    let next = fixture.queue.next(&fixture.results, &fixture.budget, &fixture.permits, permit);

    assert!(matches!(next, Next::Deliver(UpstreamEvent::Call(_), ..)));
    assert_eq!(fixture.queue.queue.lock().bytes, 0);
}

#[test]
fn of_a_client_that_has_left_the_oldest_calls_that_fit_are_kept() {
    let size = call("a").size();
    let fixture = fixture(1000 + 2 * size);
    fixture.push(UpstreamEvent::Connected);
    assert_eq!(fixture.next(), "connected");
    for target in ["a", "b", "c", "d"] {
        fixture.push(call(target));
    }

    assert_eq!(fixture.queue.depart(1000, &fixture.budget), Some(2));
    assert_eq!(fixture.budget.left(), 0);
    fixture.push(DISCONNECTED);
    assert_eq!(
        ["a", "b", "disconnected", "end"].map(|_| fixture.next()),
        ["a", "b", "disconnected", "end"]
    );

    assert_eq!(fixture.budget.left(), 1000 + 2 * size);
}

#[test]
fn a_client_that_left_before_the_app_was_told_about_it_is_dropped_when_memory_is_used_up() {
    let fixture = fixture(1000);
    fixture.push(UpstreamEvent::Connected);
    fixture.push(call("a"));

    assert_eq!(fixture.queue.depart(1001, &fixture.budget), None);

    assert_eq!(fixture.next(), "end");
    assert_eq!(fixture.budget.left(), 1000);
}

#[test]
fn a_client_that_the_app_was_told_about_is_always_told_to_have_left() {
    let fixture = fixture(1000);
    fixture.push(UpstreamEvent::Connected);
    assert_eq!(fixture.next(), "connected");
    fixture.push(call("a"));

    assert_eq!(fixture.queue.depart(1001, &fixture.budget), Some(0));
    fixture.push(DISCONNECTED);

    let next = [fixture.next(), fixture.next()];
    assert!(next.contains(&"disconnected".to_owned()), "{next:?}");
}

#[test]
fn a_cancelled_call_that_waits_is_removed_with_its_memory() {
    let fixture = fixture(0);
    assert!(fixture.push(invoke("a")));
    fixture.push(invoke("b"));
    let before = fixture.queue.queue.lock().bytes;
    fixture.push(invoke("c"));
    assert!(matches!(fixture.queue.cancel("c"), Cancelled::Waiting(call) if call.target == "c"));
    assert_eq!(fixture.queue.queue.lock().bytes, before);
    fixture.push(call("c"));

    assert!(matches!(fixture.queue.cancel("c"), Cancelled::Unknown), "a `send`");

    assert_eq!(["a", "b", "c", "end"].map(|_| fixture.next()), ["a", "b", "c", "end"]);
    assert_eq!(fixture.queue.queue.lock().bytes, 0);
}

/// Delivers the next event. Returns its lane.
fn lane(fixture: &Fixture, target: &str) -> Lane {
    match fixture.queue.next(&fixture.results, &fixture.budget, &fixture.permits, None) {
        Next::Deliver(UpstreamEvent::Call(call), lane, _) if call.target == target => lane,
        other => panic!("not {target}: {other:?}"),
    }
}

#[test]
fn beside_a_cancelled_method_that_waits_for_the_client_calls_run_one_at_a_time() {
    let fixture = fixture(0);
    assert!(fixture.push(invoke("asks")));
    let asks = lane(&fixture, "asks");
    let (_asked, _) = fixture.ask();
    assert!(fixture.push(invoke("beside")));
    assert_eq!(fixture.next(), "beside");
    assert!(!fixture.push(invoke("a")));

    assert!(matches!(fixture.queue.cancel("asks"), Cancelled::Running));
    assert!(!fixture.queue.finish(asks, &fixture.results));

    // The lane of the cancelled call ends, that of the other one goes on.
    assert_eq!(fixture.next(), "end");
    assert_eq!(fixture.next(), "a");
    assert!(!fixture.push(invoke("b")), "the client is still asked");
}

#[test]
fn a_method_that_asks_again_is_not_taken_for_a_cancelled_call_beside_it() {
    let fixture = fixture(0);
    assert!(fixture.push(invoke("asks")));
    let asks = lane(&fixture, "asks");
    let (first, _) = fixture.ask();
    assert!(fixture.push(invoke("beside")));
    let beside = lane(&fixture, "beside");
    drop(first);
    let (second, _) = fixture.ask();

    assert!(matches!(fixture.queue.cancel("beside"), Cancelled::Running));
    assert!(!fixture.queue.finish(beside, &fixture.results));
    assert_eq!(fixture.next(), "end");

    assert!(fixture.push(invoke("handler")), "the method waits for what the client does next");
    drop(second);
    assert!(fixture.queue.finish(asks, &fixture.results));
}

/// An `:invoke` request does not name the method that sends it. So the next call may run beside a call that ran when a
/// cancelled method asked; `docs/delivery.md` states this.
#[test]
fn a_call_that_ran_when_a_cancelled_method_asked_can_have_the_next_call_beside_it() {
    let fixture = fixture(0);
    assert!(fixture.push(invoke("asks")));
    let asks = lane(&fixture, "asks");
    let (first, _) = fixture.ask();
    assert!(fixture.push(invoke("beside")));
    let beside = lane(&fixture, "beside");
    drop(first);
    let (_second, _) = fixture.ask();

    assert!(matches!(fixture.queue.cancel("asks"), Cancelled::Running));
    assert!(!fixture.queue.finish(asks, &fixture.results));
    assert_eq!(fixture.next(), "end");

    assert!(fixture.push(invoke("next")));
    assert_eq!(fixture.next(), "next");
    assert!(fixture.queue.finish(beside, &fixture.results));
    assert_eq!(fixture.next(), "end");
    assert!(!fixture.push(invoke("last")), "then one at a time");
}
