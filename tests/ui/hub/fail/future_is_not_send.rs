//! A method whose future is not `Send` is refused.

#![allow(unused)]

use std::rc::Rc;

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn a(&self) {
        let shared = Rc::new(1);
        std::future::ready(()).await;
        drop(shared);
    }
}

fn main() {}
