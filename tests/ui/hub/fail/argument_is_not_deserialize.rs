//! An argument that is not `Deserialize` is refused at its type, with advice to inject it.

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
