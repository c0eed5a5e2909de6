//! All mistakes of a block are reported together, and no mistake causes a second error.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub(colour = "red")]
impl Chat {
    async fn join(&mut self, room: &str) {}

    fn helper(&self) {}

    async fn leave<T>(&self) {}

    async fn send_message(&self, ctx: &Context<Self>, text: String) {
        self.helper();
        let _ = ctx.clients().all().send("text", (text,)).await;
    }

    #[hub(rename = "sendmessage")]
    async fn send(&self) {}

    #[cfg_attr(all(), filter(SignedIn))]
    async fn guarded(&self) {}
}

fn main() {
    let _ = HubApp::builder().hub(Chat);
}
