//! What the load tool is asked to do.

use std::{convert::Infallible, fmt};

use clap::{Args, ValueEnum};
use hub_core::Secret;
use serde::Serialize;

use super::LoadError;

/// The place of the sequence number in a payload, in hexadecimal digits.
pub(super) const SEQUENCE_DIGITS: usize = 16;

/// Puts load on a SignalR server and measures it.
///
/// The server has a hub with `echo(payload)`, which returns its argument, `broadcast(payload)`,
/// `joinGroup(name)` and `sendToGroup(name, payload)`, which call `message(payload)`; the options
/// rename them.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// The hub's URL, as a client gives it; `/negotiate` is appended
    pub url: String,
    /// How many clients connect
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub clients: usize,
    /// How long to measure
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub seconds: u64,
    /// What the clients do
    #[arg(long, value_enum, default_value_t)]
    pub scenario: Scenario,
    /// The length of a payload, in bytes
    #[arg(long, value_name = "B", default_value_t = 32)]
    pub payload: usize,
    /// The hub protocol
    #[arg(long, value_enum, default_value_t)]
    pub protocol: LoadProtocol,
    /// The transport
    #[arg(long, value_enum, default_value_t)]
    pub transport: LoadTransport,
    /// How many echoes a client, or how many REST calls, are on their way at once
    #[arg(long, value_name = "K", default_value_t = 8)]
    pub inflight: usize,
    /// How many broadcasts may be on their way, until every client has the oldest
    #[arg(long, value_name = "K", default_value_t = 64)]
    pub window: usize,
    /// How many connects are on their way at once
    #[arg(long, value_name = "K", default_value_t = 64)]
    pub connects: usize,
    /// How long to wait before measuring
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub warm_up: u64,
    /// Reads and compares every message instead of counting them
    #[arg(long)]
    pub check: bool,
    /// The token for the app's negotiate
    #[arg(long, value_name = "TOKEN", env = "HUB_LOCAL_LOAD_BEARER", hide_env_values = true, value_parser = secret)]
    pub bearer: Option<Secret>,
    /// Drives broadcasts and groups by REST calls to this service, not by a hub method
    #[arg(long, value_name = "TEXT", env = "HUB_LOCAL_LOAD_CONNECTION_STRING", hide_env_values = true, value_parser = secret)]
    pub connection_string: Option<Secret>,
    /// The hub for REST calls; by default the one that negotiate names
    #[arg(long, value_name = "NAME")]
    pub hub: Option<String>,
    /// The hub method that returns its argument
    #[arg(long, value_name = "NAME", default_value = "echo")]
    pub echo: String,
    /// The hub method that sends to everyone
    #[arg(long, value_name = "NAME", default_value = "broadcast")]
    pub broadcast: String,
    /// The hub method that puts its caller into a group
    #[arg(long, value_name = "NAME", default_value = "joinGroup")]
    pub join_group: String,
    /// The hub method that sends to a group
    #[arg(long, value_name = "NAME", default_value = "sendToGroup")]
    pub send_to_group: String,
    /// The client method that the hub calls
    #[arg(long, value_name = "NAME", default_value = "message")]
    pub message: String,
    /// Prints the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scenario {
    /// Every client calls a hub method that returns its argument.
    #[default]
    Echo,
    /// Messages go to every client.
    Broadcast,
    /// Messages go to one group that every client is in.
    Group,
    /// Clients are connected and do nothing.
    Idle,
}

/// The hub protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LoadProtocol {
    /// Text.
    #[default]
    Json,
    /// Binary; not there yet.
    #[value(name = "messagepack")]
    MessagePack,
}

/// The transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LoadTransport {
    /// WebSockets.
    #[default]
    #[value(name = "websockets")]
    WebSockets,
    /// Server-Sent Events; not there yet.
    ServerSentEvents,
    /// Long polling; not there yet.
    LongPolling,
}

impl LoadArgs {
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let refuse = |text: String| Err(LoadError::Arguments(text));
        if self.protocol != LoadProtocol::Json {
            return refuse("--protocol messagepack is not there yet: use json".to_owned());
        }
        if self.transport != LoadTransport::WebSockets {
            return refuse(
                "this transport is not there yet: use --transport websockets".to_owned(),
            );
        }
        let positive = [
            ("clients", self.clients),
            ("inflight", self.inflight),
            ("window", self.window),
            ("connects", self.connects),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, number)| *number == 0) {
            return refuse(format!("--{name} must be at least 1"));
        }
        if self.check && self.payload < SEQUENCE_DIGITS {
            return refuse(format!(
                "--check needs a --payload of {SEQUENCE_DIGITS} bytes at least"
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Echo => "echo",
            Self::Broadcast => "broadcast",
            Self::Group => "group",
            Self::Idle => "idle",
        })
    }
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::from(text))
}
