//! A filter attribute contains exactly one expression, which cannot use `self`.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    #[filter]
    async fn none(&self) {}

    #[filter()]
    async fn empty(&self) {}

    #[filter(SignedIn, RequireClaim("role", "admin"))]
    async fn two(&self) {}

    #[filter(RequireClaim("role", self.role()))]
    async fn of_the_hub(&self) {}

    #[filter = "SignedIn"]
    async fn assigned(&self) {}
}

fn main() {}
