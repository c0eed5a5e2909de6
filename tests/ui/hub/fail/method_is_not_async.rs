//! Helpers are refused in the block, because its methods are callable by clients.

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
