//! The attribute belongs on an inherent `impl` block.

#![allow(unused)]

use hub_runtime::prelude::*;

#[serverless_hub]
struct Chat;

trait Join {
    async fn join(&self);
}

#[serverless_hub]
impl Join for Chat {
    async fn join(&self) {}
}

#[serverless_hub]
impl [u8] {}

fn main() {}
