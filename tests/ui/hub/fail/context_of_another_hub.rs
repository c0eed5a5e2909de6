//! A context of another hub is refused at the parameter.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Other;

#[serverless_hub]
impl Other {}

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(&self, ctx: &Context<Other>) {}
}

fn main() {}
