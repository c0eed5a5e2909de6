//! A hub's client is a trait with `#[hub_client]`.

#![allow(unused)]

use hub_runtime::prelude::*;

trait ChatClient {
    fn new_message(&self);
}

struct Chat;

#[serverless_hub(client = ChatClient)]
impl Chat {
    async fn join(&self) {}
}

fn main() {}
