//! `connection` sets the name of the setting that contains the hub's connection string.

use hub_runtime::{Hub, prelude::*};

struct Chat;

#[serverless_hub(connection = "ChatSignalR")]
impl Chat {}

struct Game;

#[serverless_hub]
impl Game {}

fn main() {
    assert_eq!(Chat::CONNECTION, "ChatSignalR");
    assert_eq!(Game::CONNECTION, "AzureSignalRConnectionString");
}
