//! A test that calls a method by its old name does not compile.

#![allow(unused)]

use hub_runtime::{prelude::*, testing::TestHub};

struct Chat;

#[serverless_hub]
impl Chat {
    /// Was `send_message` when the test was written.
    async fn send_text(&self, room: String, text: String) -> HubResult<usize> {
        Ok(room.len() + text.len())
    }
}

async fn test() {
    let hub = TestHub::new(Chat);
    let ada = hub.user("ada").connect().await.unwrap();

    ada.call().send_message("lobby", "hi").await.unwrap();
}

fn main() {}
