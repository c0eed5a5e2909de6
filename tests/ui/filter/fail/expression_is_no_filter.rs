//! An expression that is not a filter is refused at the expression.

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
