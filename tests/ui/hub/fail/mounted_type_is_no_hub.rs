//! Mounting a type without an annotated block says which block is missing.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

fn main() {
    let _ = HubApp::builder().hub(Chat);
}
