//! A type parameter without the bounds of a hub is refused once, not at each method.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat<T>(T);

#[serverless_hub]
impl<T> Chat<T> {
    async fn join(&self, ctx: &Context<Self>) -> HubResult {
        Ok(ctx.clients().all().send("joined", ()).await?)
    }

    async fn on_connected(&self) {}
}

struct Board<T>(T);

#[serverless_hub]
impl<T> Board<T>
where
    T: Clone + Send,
{
    async fn draw(&self, ctx: &Context<Self>) {}
}

fn main() {}
