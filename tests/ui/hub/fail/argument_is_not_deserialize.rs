//! An argument type that serde cannot read is refused at the type, with the way to inject instead.

#![allow(unused)]

use hub_runtime::prelude::*;

struct NotDe;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(&self, room: String, secret: NotDe) {}

    async fn leave(&self, secrets: Vec<NotDe>) {}
}

fn main() {}
