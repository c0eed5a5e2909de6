//! All methods of a hub are in one block.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(&self, room: String) {}
}

#[serverless_hub]
impl Chat {
    async fn leave(&self, room: String) {}
}

fn main() {}
