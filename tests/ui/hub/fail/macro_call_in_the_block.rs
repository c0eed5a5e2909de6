//! A macro call inside of a block is refused, because the attribute cannot see its methods.

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
