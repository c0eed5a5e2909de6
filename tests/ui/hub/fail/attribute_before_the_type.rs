//! An attribute after the name of a parameter is refused with the place for it.

#![allow(unused)]

use hub_runtime::prelude::*;

struct User;

impl FromContext for User {
    async fn from_context(call: &Invocation) -> HubResult<Self> {
        Ok(Self)
    }
}

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(&self, ctx: &Context<Self>, user: #[from_context] User, room: String) {}
}

fn main() {}
