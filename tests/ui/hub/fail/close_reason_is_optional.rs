//! `on_disconnected` takes the close reason as an `Option`: an orderly end has none.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn on_disconnected(&self, error: String) {}
}

fn main() {}
