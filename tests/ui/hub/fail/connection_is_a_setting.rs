//! The setting is named; what it holds stays out of the code.

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub(connection = "Endpoint=https://x.service.signalr.net;AccessKey=k;")]
impl Chat {}

struct Game;

#[serverless_hub(connection = "")]
impl Game {}

fn main() {}
