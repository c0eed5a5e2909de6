//! An error type without `IntoHubError` is refused at the return type.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn load(&self) -> Result<String, std::io::Error> {
        std::fs::read_to_string("motd")
    }
}

fn main() {}
