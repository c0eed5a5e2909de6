//! Signatures that a hub method cannot have.

#![allow(unused)]

use hub_runtime::prelude::*;

#[derive(serde::Deserialize)]
struct Point {
    x: i32,
}

struct Chat;

#[serverless_hub]
impl Chat {
    async fn generic<T, const N: usize>(&self, value: T) {}

    async fn opaque(&self, text: impl Into<String>) {}

    async unsafe fn danger(&self) {}

    async extern "C" fn foreign(&self) {}

    async fn pattern(&self, Point { x }: Point) {}

    async fn nameless(&self, _: String) {}

    async fn mutable_context(&self, ctx: &mut Context<Self>) {}

    async fn injected_context(&self, #[from_context] ctx: &Context<Self>) {}

    async fn injected_reference(&self, #[from_context] name: &str) {}
}

fn main() {}
