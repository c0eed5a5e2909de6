//! The error for an unknown key lists the known keys. A duplicate key is reported at its second use.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub(clients = ChatClient, rename_all = "camel", rename_all = "camelCase", client = "ChatClient")]
impl Chat {
    #[hub(name = "a")]
    async fn unknown(&self) {}

    #[hub(rename = "b", rename = "c")]
    async fn twice(&self) {}

    #[hub(rename = "d")]
    #[hub(rename = "e")]
    async fn attribute_twice(&self) {}

    #[hub]
    async fn empty(&self) {}

    #[hub(exact_names = true)]
    async fn with_a_value(&self) {}

    #[hub(rename = f)]
    async fn unquoted(
        &self,
        #[from_context]
        #[from_context]
        user: String,
    ) {
    }
}

fn main() {}
