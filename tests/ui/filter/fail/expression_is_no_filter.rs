//! An expression that is no filter is refused where it stands.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
#[filter(7)]
impl Chat {
    #[filter("admin")]
    async fn close(&self) {}
}

fn main() {}
