//! A method that a macro makes inside the block would be no event, silently.

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
