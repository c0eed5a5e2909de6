//! Names that clients cannot call, or that URLs cannot contain.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Größe;

#[serverless_hub]
impl Größe {
    #[hub(rename = "")]
    async fn empty(&self) {}

    #[hub(rename = "..")]
    async fn dots(&self) {}

    #[hub(rename = "a\nb")]
    async fn control(&self) {}

    async fn __(&self) {}
}

fn main() {}
