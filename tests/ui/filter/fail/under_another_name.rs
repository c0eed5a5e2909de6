//! A filter under another name is not recognised by the block, so it is refused.

#![allow(unused)]

use hub_runtime::{filter as guard, prelude::*};

struct Chat;

#[serverless_hub]
#[guard(SignedIn)]
impl Chat {
    #[guard(SignedIn)]
    async fn close(&self) {}
}

fn main() {}
