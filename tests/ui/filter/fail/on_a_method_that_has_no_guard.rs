//! Filters are refused on `on_disconnected` and `negotiate`.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    #[filter(SignedIn)]
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        Err(HubError::denied("no"))
    }

    #[filter(SignedIn)]
    async fn on_disconnected(&self) {}
}

fn main() {}
