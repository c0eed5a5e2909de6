//! If a parameter takes all arguments as one value, no other parameter can take arguments.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn both(&self, #[hub(arguments)] all: Vec<u8>, #[hub(body)] body: u8) {}

    async fn and_by_position(&self, room: String, #[hub(arguments)] all: Vec<u8>) {}

    async fn two_keys(&self, #[hub(arguments, body)] all: Vec<u8>) {}

    async fn no_key(&self, #[hub] all: Vec<u8>) {}

    async fn unknown_key(&self, #[hub(rename = "a")] all: Vec<u8>) {}

    async fn borrowed(&self, #[hub(arguments)] all: &[u8]) {}

    async fn injected(&self, #[hub(body)] ctx: &Context<Self>, #[from_context] #[hub(body)] user: u8) {}

    async fn on_connected(&self, #[hub(body)] body: u8) {}
}

struct NoDeserialize;

struct Other;

#[serverless_hub]
impl Other {
    async fn unbound(&self, #[hub(body)] body: NoDeserialize) {}
}

fn main() {}
