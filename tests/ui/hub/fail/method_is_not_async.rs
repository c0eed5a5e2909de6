//! Helper methods are refused in the block, because clients can call all methods of the block.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    #[filter(SignedIn)]
    pub fn helper(&self, #[from_context] size: usize) -> usize {
        size
    }

    async fn join(&self) {
        self.helper(1);
    }
}

fn main() {}
