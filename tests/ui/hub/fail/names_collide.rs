//! Names that are equal for clients are reported at both methods.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn send_message(&self) {}

    async fn sendmessage(&self) {}

    async fn join(&self) {}

    #[hub(rename = "JOIN")]
    async fn enter(&self) {}
}

fn main() {}
