//! Names that a client cannot tell apart, and names that the proxy itself uses.

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
