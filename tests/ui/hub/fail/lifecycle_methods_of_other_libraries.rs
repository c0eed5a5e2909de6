//! A method that looks like a lifecycle method, but that only clients would call, is refused.

#![allow(unused, non_snake_case)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn on_connect(&self) {}

    async fn on_disconnect(&self) {}

    async fn connected(&self) {}

    async fn disconnected(&self, error: String) {}

    async fn on_reconnected(&self) {}

    async fn onconnected(&self) {}
}

struct FromCSharp;

#[serverless_hub(rename_all = "PascalCase")]
impl FromCSharp {
    async fn OnConnected(&self) {}

    async fn OnDisconnectedAsync(&self) {}

    async fn Negotiate(&self) {}
}

struct CamelCase;

#[serverless_hub]
impl CamelCase {
    async fn onConnected(&self) {}
}

fn main() {}
