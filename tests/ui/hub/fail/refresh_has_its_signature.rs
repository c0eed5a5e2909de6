//! `refresh` is reserved for clients that refresh their authentication. The errors name the way to keep a method of
//! clients with this name.

#![allow(unused)]

use hub_runtime::prelude::*;

struct WithArguments;

#[serverless_hub]
impl WithArguments {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn refresh(&self, ctx: &Context<Self>, room: String) -> HubResult<usize> {
        Ok(room.len())
    }
}

struct WithOneArgument;

#[serverless_hub]
impl WithOneArgument {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn refresh(&self, room: String) -> HubResult<Negotiation> {
        Err(HubError::denied(room))
    }
}

struct WithResult;

#[serverless_hub]
impl WithResult {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn refresh(&self) -> HubResult<usize> {
        Ok(1)
    }
}

struct WithoutNegotiate;

#[serverless_hub]
impl WithoutNegotiate {
    async fn refresh(&self, request: RefreshRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    #[filter(SignedIn)]
    async fn on_refreshed(&self, room: String) {}
}

struct Guarded;

#[serverless_hub]
impl Guarded {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    #[filter(SignedIn)]
    async fn refresh(&self, #[from_context] request: RefreshRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn on_refresh(&self) {}
}

fn main() {}
