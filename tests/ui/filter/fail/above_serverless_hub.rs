//! In the wrong order `#[serverless_hub]` would not see the filter.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[filter(SignedIn)]
#[serverless_hub]
impl Chat {
    async fn close(&self) {}
}

fn main() {
    let _ = HubApp::builder().hub(Chat);
}
