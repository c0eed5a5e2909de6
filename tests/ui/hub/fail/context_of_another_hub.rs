//! Only the context of this hub is a reference.

#![allow(unused)]

use hub_runtime::{HubContext, prelude::*};

struct Other;

#[serverless_hub]
impl Other {}

struct User;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(&self, ctx: &Context<Other>) {}

    async fn leave(&self, ctx: &HubContext<Self>, room: String) {}

    async fn greet(&self, user: &User) {}
}

fn main() {}
