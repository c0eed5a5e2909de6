//! A hub with a lifetime is refused once, not at each of its methods.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat<'a>(&'a str);

#[serverless_hub]
impl<'a> Chat<'a> {
    async fn join(&self, ctx: &Context<Chat<'a>>) -> HubResult {
        Ok(ctx.clients().all().send("joined", (self.0,)).await?)
    }
}

struct Anonymous<'a>(&'a str);

#[serverless_hub]
impl Anonymous<'_> {
    async fn join(&self, ctx: &Context<Self>) {}
}

fn main() {}
