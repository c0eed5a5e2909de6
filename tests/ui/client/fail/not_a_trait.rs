//! The attribute belongs on a trait.

#![allow(unused)]

use hub_runtime::prelude::*;

#[hub_client]
struct ChatClient;

fn main() {}
