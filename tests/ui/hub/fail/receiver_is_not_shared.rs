//! All calls share one hub value, so methods take `&self`.

#![allow(unused)]

use std::sync::Arc;

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn change(&mut self) {}

    async fn change_too(self: &mut Self) {}

    async fn take(self) {}

    async fn share(self: Arc<Self>) {}
}

fn main() {
    let _ = HubApp::builder().hub(Chat);
}
