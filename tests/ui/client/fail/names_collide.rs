//! Names that are equal for clients, and names of the proxy's own methods.

#![allow(unused)]

use hub_runtime::prelude::*;

#[hub_client]
trait ChatClient {
    async fn new_message(&self);

    async fn newmessage(&self);

    async fn send(&self, text: &str);

    async fn invoke(&self, text: &str) -> bool;
}

fn main() {}
