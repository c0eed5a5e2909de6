//! A filter under another name is refused, because `#[serverless_hub]` does not recognise it.

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
