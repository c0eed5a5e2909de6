//! A filter inside `cfg_attr` is refused, because the condition could remove the filter.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub]
impl Chat {
    #[cfg_attr(all(), filter(SignedIn))]
    async fn on(&self) {}

    #[cfg_attr(any(), filter(SignedIn))]
    async fn off(&self) {}

    #[cfg_attr(all(), cfg_attr(all(), inline, hub_runtime::filter(SignedIn)))]
    async fn nested(&self) {}

    #[cfg_attr(any(), hub(rename = "a"))]
    async fn renamed(&self, #[cfg_attr(any(), from_context)] user: String) {}
}

struct Other;

#[serverless_hub]
#[cfg_attr(all(), filter(SignedIn))]
impl Other {
    async fn on(&self) {}
}

fn main() {}
