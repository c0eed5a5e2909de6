//! A filter outside of a hub block has no effect, so it is refused.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

impl Chat {
    #[filter(SignedIn)]
    async fn close(&self) {}
}

#[filter(SignedIn)]
fn free() {}

#[serverless_hub]
impl Chat {
    #[filter(SignedIn)]
    fn not_called() {}

    #[filter(SignedIn)]
    const LIMIT: usize = 1;
}

mod misplaced {
    use hub_runtime::prelude::*;

    #[hub(rename = "a")]
    fn named() {}
}

fn main() {
    free();
}
