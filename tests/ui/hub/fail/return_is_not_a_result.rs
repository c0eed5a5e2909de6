//! A bare value is refused at the return type. The error explains how to wrap the value.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn ping(&self) -> String {
        String::new()
    }

    async fn negotiate(&self, request: NegotiateRequest) -> Negotiation {
        Negotiation::user("ada")
    }
}

fn main() {}
