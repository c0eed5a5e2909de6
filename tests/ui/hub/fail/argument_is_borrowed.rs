//! Arguments are decoded into owned values. The error for a borrowed type names the owned type.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn first(&self, room: &str) {}

    async fn second(&self, ctx: &Context<Self>, rooms: &[String]) {}

    async fn nested(&self, rooms: Vec<Option<&'static str>>) {}

    async fn context_last(&self, room: String, ctx: &Context<Self>) {}
}

fn main() {}
