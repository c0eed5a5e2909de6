//! The error for a mounted type without an annotated block names the missing block.

#![allow(unused)]

use hub_runtime::prelude::*;

struct Chat;

fn main() {
    let _ = HubApp::builder().hub(Chat);
}
