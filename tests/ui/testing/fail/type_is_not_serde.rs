//! An argument that a test cannot send and a result that a test cannot read are reported where they are used. The hub
//! compiles without such a test.

#![allow(unused)]

use hub_runtime::{prelude::*, testing::TestHub};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Received;

#[derive(Serialize)]
struct Sent;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn take(&self, received: Received) {}

    async fn give(&self) -> HubResult<Sent> {
        Ok(Sent)
    }
}

async fn test() {
    let hub = TestHub::new(Chat);
    let ada = hub.user("ada").connect().await.unwrap();

    ada.call().take(Received).await.unwrap();
    ada.call().give().await.unwrap();
}

fn main() {}
