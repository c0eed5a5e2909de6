//! `connection` is the name of a setting, not a connection string.

use hub_runtime::prelude::*;

struct Chat;

#[serverless_hub(connection = "Endpoint=https://x.service.signalr.net;AccessKey=k;")]
impl Chat {}

struct Game;

#[serverless_hub(connection = "")]
impl Game {}

fn main() {}
