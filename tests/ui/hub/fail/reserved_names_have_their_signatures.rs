//! The service calls `negotiate`, `on_connected` and `on_disconnected`, so their signatures are fixed.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn negotiate(&self, ctx: &Context<Self>, room: String) -> HubResult<Negotiation> {
        Err(HubError::denied("no"))
    }

    #[hub(rename = "hello")]
    async fn on_connected(&self, room: String) {}

    async fn on_disconnected(&self, error: Option<String>, room: String) {}
}

struct Other;

#[serverless_hub]
impl Other {
    async fn negotiate(_request: NegotiateRequest) -> HubResult<Negotiation> {
        Err(HubError::denied("no"))
    }
}

fn main() {}
