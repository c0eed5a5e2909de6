//! A test with the old arguments or the old result of a method does not compile.

#![allow(unused)]

use hub_runtime::{prelude::*, testing::TestHub};

struct Chat;

#[serverless_hub]
impl Chat {
    async fn send_message(&self, room: String, number: u8) -> HubResult<usize> {
        Ok(room.len())
    }
}

async fn test() {
    let hub = TestHub::new(Chat);
    let ada = hub.user("ada").connect().await.unwrap();

    ada.call().send_message("lobby", "hi").await.unwrap();
    ada.call().send_message("lobby").await.unwrap();
    let sent: bool = ada.call().send_message("lobby", 1).await.unwrap();
}

fn main() {}
