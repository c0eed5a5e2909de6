//! A filter that the block does not recognise by its name is not dropped but refused.

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
