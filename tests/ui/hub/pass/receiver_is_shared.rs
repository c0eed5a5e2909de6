//! Every spelling of `&self` is accepted. Hubs change state through interior mutability.

use std::sync::atomic::{AtomicUsize, Ordering};

use hub_runtime::prelude::*;

use crate::support::Bench;

#[derive(Default)]
struct Counter {
    count: AtomicUsize,
}

#[serverless_hub]
impl Counter {
    async fn up(&self) -> HubResult<usize> {
        Ok(self.count.fetch_add(1, Ordering::Relaxed) + 1)
    }

    async fn up_typed(self: &Self) -> HubResult<usize> {
        self.up().await
    }

    async fn up_named<'a>(&'a self) -> HubResult<usize> {
        self.up().await
    }
}

#[test]
fn one_hub_value_serves_every_call() {
    let counter = Bench::new(Counter::default());

    for (method, count) in [("up", "1"), ("upTyped", "2"), ("upNamed", "3")] {
        assert_eq!(counter.invoke(method, "[]").unwrap(), count);
    }
    assert_eq!(counter.hub().count.load(Ordering::Relaxed), 3);
}
