//! Only a single connection can return a client result.

#![allow(unused)]

use hub_runtime::prelude::*;

#[hub_client]
trait ChatClient {
    async fn confirm(&self, question: &str) -> bool;
}

struct Chat;

#[serverless_hub(client = ChatClient)]
impl Chat {
    async fn ask(&self, ctx: &Context<Self>) -> HubResult<bool> {
        Ok(ctx.clients().all().confirm("Sure?").await?)
    }
}

fn main() {}
