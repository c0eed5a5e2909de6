//! A hub has one fallback, for events of any name and with any arguments.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    #[hub(fallback)]
    async fn first(&self) {}

    #[hub(fallback)]
    async fn second(&self) {}

    #[hub(fallback = true)]
    async fn with_a_value(&self) {}

    #[hub(fallback)]
    async fn on_connected(&self) {}
}

struct Strict;

#[serverless_hub]
impl Strict {
    #[hub(fallback, rename = "other")]
    async fn renamed(&self, room: String) {}
}

#[hub_client]
trait Client {
    #[hub(fallback)]
    async fn anything(&self);
}

fn main() {}
