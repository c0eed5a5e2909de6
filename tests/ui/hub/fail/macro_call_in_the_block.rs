//! A macro call inside of a block is refused, because its methods are not visible.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

macro_rules! method {
    () => {
        async fn join(&self) {}
    };
}

#[serverless_hub]
impl Chat {
    method!();
}

fn main() {}
