//! Signatures that a proxy cannot implement; the other methods stay callable.

#![allow(unused)]

use hub_runtime::prelude::*;

#[hub_client(client = Other)]
unsafe trait ChatClient<T>: Send {
    async fn good(&self, text: &str);

    fn not_async(&self);

    async fn no_receiver(text: &str);

    async fn mutable(&mut self);

    async fn body(&self) {}

    async fn generic<U>(&self, value: U);

    async fn opaque(&self, value: impl Send);

    async fn answers_result(&self) -> HubResult<bool>;

    async fn answers_borrowed(&self) -> &str;

    async unsafe fn danger(&self);

    #[filter(SignedIn)]
    async fn guarded(&self, #[from_context] text: &str);

    const LIMIT: usize;

    method!();
}

struct Chat;

#[serverless_hub(client = ChatClient)]
impl Chat {
    async fn tell(&self, ctx: &Context<Self>) -> HubResult {
        ctx.clients().all().good("a").await?;
        ctx.clients().all().not_async().await?;
        ctx.clients().all().body().await?;
        Ok(())
    }
}

fn main() {}
