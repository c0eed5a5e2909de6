//! Filters: their order, refusals and state. No call bypasses a filter.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use hub_runtime::prelude::*;

use crate::support::{answer, app, call, error_of, invoke};

/// Lets the first two calls through.
struct OnlyTwice(AtomicUsize);

impl Filter for OnlyTwice {
    async fn before(&self, _: &Invocation) -> HubResult {
        if self.0.fetch_add(1, Ordering::SeqCst) < 2 {
            Ok(())
        } else {
            Err(HubError::denied("Only twice"))
        }
    }
}

/// Records its runs in the hub's journal.
struct Journal(&'static str);

impl Filter for Journal {
    async fn before(&self, call: &Invocation) -> HubResult {
        note(call, format!("{} before", self.0));
        Ok(())
    }

    async fn after(&self, call: &Invocation, outcome: Result<(), &HubError>) {
        note(call, format!("{} after {}", self.0, outcome.is_ok()));
    }
}

struct Refuse;

impl Filter for Refuse {
    async fn before(&self, call: &Invocation) -> HubResult {
        call.extensions().insert(Seen("by the filter"));
        Err(HubError::denied("Closed"))
    }
}

/// Panics in `after`, either before it returns the future or inside the future.
struct Stumble {
    at_once: bool,
}

impl Filter for Stumble {
    async fn before(&self, _: &Invocation) -> HubResult {
        Ok(())
    }

    fn after(&self, _: &Invocation, _: Result<(), &HubError>) -> impl Future<Output = ()> + Send {
        assert!(!self.at_once, "stumbled");
        async { panic!("stumbled") }
    }
}

/// Panics in `before`, before it returns the future.
struct StumbleBefore;

impl Filter for StumbleBefore {
    fn before(&self, _: &Invocation) -> impl Future<Output = HubResult> + Send {
        let stumbles = true;
        assert!(!stumbles, "stumbled");
        async { Ok(()) }
    }
}

struct HandOn;

impl Filter for HandOn {
    async fn before(&self, call: &Invocation) -> HubResult {
        call.extensions().insert(Seen("by the filter"));
        Ok(())
    }
}

#[derive(Clone)]
struct Seen(&'static str);

impl FromContext for Seen {
    async fn from_context(call: &Invocation) -> HubResult<Self> {
        call.extensions().get().or_reject("nothing seen")
    }
}

fn note(call: &Invocation, line: String) {
    let hub = call.hub::<Loop>().expect("the hub");
    hub.journal.lock().unwrap().push(line);
}

#[derive(Clone, Default)]
struct Loop {
    journal: Arc<Mutex<Vec<String>>>,
}

#[serverless_hub]
#[filter(Journal("block"))]
impl Loop {
    #[filter(OnlyTwice(AtomicUsize::new(0)))]
    async fn counted(&self) -> HubResult {
        Ok(())
    }

    #[filter(Journal("outer"))]
    #[filter(Journal("inner"))]
    async fn ordered(&self) -> HubResult {
        self.journal.lock().unwrap().push("method".to_owned());
        Ok(())
    }

    #[filter(Journal("outer"))]
    #[filter(Refuse)]
    async fn refused(&self, _number: u8) -> HubResult {
        self.journal.lock().unwrap().push("method".to_owned());
        Ok(())
    }

    #[filter(HandOn)]
    async fn handed_on(&self, #[from_context] seen: Seen) -> HubResult<&'static str> {
        Ok(seen.0)
    }

    #[filter(Journal("outer"))]
    async fn panics(&self) -> HubResult {
        panic!("boom")
    }

    #[filter(Journal("outer"))]
    #[filter(Stumble { at_once: true })]
    #[filter(Stumble { at_once: false })]
    async fn looked_back_at(&self) -> HubResult<u8> {
        Ok(7)
    }

    #[filter(Journal("outer"))]
    #[filter(StumbleBefore)]
    async fn behind_a_broken_filter(&self) -> HubResult {
        Ok(())
    }

    #[filter(SignedIn)]
    async fn signed_in(&self) -> HubResult {
        Ok(())
    }

    async fn on_disconnected(&self) {}
}

#[tokio::test]
async fn one_stateful_filter_counts_across_calls() {
    let app = app(Loop::default());

    for _ in 0..2 {
        assert!(answer(&app, invoke("counted", "[]")).await.body.contains("result"));
    }
    assert_eq!(error_of(&app, invoke("counted", "[]")).await, "403 Forbidden: Only twice");
}

#[tokio::test]
async fn before_runs_outermost_first_and_after_innermost_first() {
    let hub = Loop::default();

    answer(&app(hub.clone()), invoke("ordered", "[]")).await;

    assert_eq!(
        *hub.journal.lock().unwrap(),
        [
            "block before",
            "outer before",
            "inner before",
            "method",
            "inner after true",
            "outer after true",
            "block after true"
        ]
    );
}

#[tokio::test]
async fn a_refused_call_decodes_no_arguments() {
    let hub = Loop::default();

    let shown = error_of(&app(hub.clone()), invoke("refused", r#"["no number"]"#)).await;

    assert_eq!(shown, "403 Forbidden: Closed");
    assert_eq!(
        *hub.journal.lock().unwrap(),
        ["block before", "outer before", "outer after false", "block after false"]
    );
}

#[tokio::test]
async fn after_runs_for_a_panicking_method() {
    let hub = Loop::default();

    answer(&app(hub.clone()), invoke("panics", "[]")).await;

    assert_eq!(
        *hub.journal.lock().unwrap(),
        ["block before", "outer before", "outer after false", "block after false"]
    );
}

#[tokio::test]
async fn a_panic_in_after_does_not_change_the_outcome() {
    let hub = Loop::default();

    let answered = answer(&app(hub.clone()), invoke("lookedBackAt", "[]")).await;

    assert!(answered.body.contains(r#""result":7"#), "{}", answered.body);
    assert_eq!(
        *hub.journal.lock().unwrap(),
        ["block before", "outer before", "outer after true", "block after true"]
    );
}

#[tokio::test]
async fn a_panic_in_before_refuses_the_call_and_runs_after_of_outer_filters() {
    let hub = Loop::default();

    let shown = error_of(&app(hub.clone()), invoke("behindABrokenFilter", "[]")).await;

    assert!(shown.starts_with("403 Forbidden: Something went wrong on the server"), "{shown}");
    assert_eq!(
        *hub.journal.lock().unwrap(),
        ["block before", "outer before", "outer after false", "block after false"]
    );
}

struct Guarded;

#[serverless_hub]
#[filter(SignedIn)]
impl Guarded {
    async fn nothing(&self) {}
}

#[tokio::test]
async fn block_filters_run_for_connections_without_on_connected() {
    let mut connected = call("connections", "connected", r#"{"type":10}"#);
    connected.headers_mut().insert("x-asrs-hub", http::HeaderValue::from_static("guarded"));
    let mut known = connected.clone();
    known.headers_mut().insert("x-asrs-user-id", http::HeaderValue::from_static("ada"));
    let app = app(Guarded);

    assert_eq!(answer(&app, connected).await.status, 403);
    assert_eq!(answer(&app, known).await.status, 200);
    assert_eq!(app.counters().refused, 1);
}

#[tokio::test]
async fn a_filter_passes_values_to_the_method() {
    let answered = answer(&app(Loop::default()), invoke("handedOn", "[]")).await;

    assert!(answered.body.contains(r#""result":"by the filter""#));
}

#[tokio::test]
async fn an_anonymous_caller_is_not_signed_in() {
    let shown = error_of(&app(Loop::default()), invoke("signedIn", "[]")).await;

    assert_eq!(shown, "403 Forbidden: Sign in first");
}

#[tokio::test]
async fn block_filters_do_not_run_for_disconnected() {
    let hub = Loop::default();

    answer(&app(hub.clone()), call("connections", "disconnected", r#"{"Type":11}"#)).await;

    assert!(hub.journal.lock().unwrap().is_empty());
}
