//! A `macro_rules!` macro can generate a whole hub block.

use hub_runtime::prelude::*;

use crate::support::Bench;

macro_rules! counter {
    ($hub:ident, $argument:ty, $($method:ident = $step:expr),*) => {
        struct $hub;

        #[serverless_hub]
        #[filter(SignedIn)]
        impl $hub {
            $(async fn $method(&self, ctx: &Context<Self>, by: $argument) -> HubResult<$argument> {
                let _ = ctx;
                Ok(by + $step)
            })*
        }
    };
}

counter!(Counter, i64, up = 1, down = -1);

#[test]
fn methods_made_by_a_macro_are_events() {
    let counter = Bench::new(Counter);

    assert_eq!(counter.names(), ["up", "down"]);
    assert_eq!(counter.invoke("down", "[3]").unwrap(), "2");
    assert!(counter.invoke_anonymously("down", "[3]").is_err());
}
