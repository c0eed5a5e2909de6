//! The context by value, or without its hub, is refused with the type to write.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn by_value(&self, ctx: Context<Self>, room: String) {}

    async fn later(&self, room: String, ctx: Context<Self>) {}

    async fn without_a_hub(&self, ctx: &Context, room: String) -> HubResult {
        Ok(ctx.clients().all().send("joined", (room,)).await?)
    }

    async fn neither(&self, ctx: Context) {}
}

fn main() {}
