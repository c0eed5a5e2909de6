//! A filter above `#[serverless_hub]` is refused, because that macro would not see the filter.

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
