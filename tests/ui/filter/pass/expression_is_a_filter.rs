//! A filter is any expression of a filter type. It is evaluated once, when the hub is mounted.

use std::sync::atomic::{AtomicUsize, Ordering};

use hub_runtime::prelude::*;

use crate::support::Bench;

static MADE: AtomicUsize = AtomicUsize::new(0);

/// Allows a number of calls in total, across all methods that share the filter.
struct Limit {
    left: AtomicUsize,
}

impl Limit {
    fn of(calls: usize) -> Self {
        MADE.fetch_add(1, Ordering::Relaxed);
        Self { left: AtomicUsize::new(calls) }
    }
}

impl Filter for Limit {
    async fn before(&self, _: &Invocation) -> HubResult {
        match self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
        {
            Ok(_) => Ok(()),
            Err(_) => Err(HubError::denied("enough")),
        }
    }
}

struct Chat;

#[serverless_hub]
impl Chat {
    const CALLS: usize = 2;

    #[filter(Limit::of(Self::CALLS))]
    async fn limited(&self) {}

    #[filter({
        let limit = Limit::of(0);
        limit
    })]
    async fn closed(&self) {}
}

struct Guarded;

#[serverless_hub]
impl Guarded {
    #[hub_runtime::filter(RequireClaim("role", "admin"))]
    async fn guarded(&self, argument: u8) {
        let _ = argument;
    }
}

#[test]
fn one_stateful_filter_counts_across_calls() {
    let chat = Bench::new(Chat);
    let made = MADE.load(Ordering::Relaxed);

    let outcomes: Vec<_> = (0..4).map(|_| chat.invoke("limited", "[]").is_ok()).collect();

    assert_eq!(outcomes, [true, true, false, false]);
    assert_eq!(MADE.load(Ordering::Relaxed), made);
    assert_eq!(chat.invoke("closed", "[]").unwrap_err(), "enough");
}

#[test]
fn filters_run_before_arguments_are_decoded() {
    let refusal = Bench::new(Guarded).invoke("guarded", r#"["not a number"]"#).unwrap_err();

    assert_eq!(refusal, "this needs role `admin`");
}
