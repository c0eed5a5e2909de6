//! `#[from_context]` needs a type that implements `FromContext`.

#![allow(unused)]

use hub_runtime::prelude::*;

struct User;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(&self, #[from_context] user: User) {}
}

fn main() {}
