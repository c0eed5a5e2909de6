//! What the load tool is asked to do.

use std::{convert::Infallible, fmt};

use clap::{Args, ValueEnum};
use hub_core::{Secret, protocol::Protocol};
use serde::Serialize;

use crate::LoadError;

/// The place of the sequence number in a payload, in hexadecimal digits.
pub(crate) const SEQUENCE_DIGITS: usize = 16;
/// Broadcasts a second, which a clock of microseconds can tell apart.
const MAX_RATE: usize = 1_000_000;
/// Each message of the window has a place in memory.
const MAX_WINDOW: usize = 1 << 20;
/// More than any server takes.
const MAX_PAYLOAD: usize = 1 << 28;

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
    /// How many echoes of a client, or how many REST calls, are on their way at once
    #[arg(long, value_name = "K", default_value_t = 8)]
    pub inflight: usize,
    /// How many broadcasts may be on their way, until every client has the oldest
    #[arg(long, value_name = "K", default_value_t = 64)]
    pub window: usize,
    /// Broadcasts, or the echoes of all clients together, leave so many a second, not as fast as it goes
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// So many of a hundred clients have a 4 KiB receive buffer and never read
    #[arg(long, value_name = "PERCENT", default_value_t = 0)]
    pub slow: u8,
    /// How many groups each client joins and leaves
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub groups: usize,
    /// How many storms there are, or how often all groups are joined and left
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub rounds: u32,
    /// How many connects are on their way at once
    #[arg(long, value_name = "K", default_value_t = 64)]
    pub connects: usize,
    /// How long to wait before measuring
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub warm_up: u64,
    /// Begins to measure at the first line on standard input, not after the warm-up
    #[arg(long)]
    pub wait: bool,
    /// Reads and compares every message instead of counting them
    #[arg(long)]
    pub check: bool,
    /// The token for the app's negotiate
    #[arg(long, value_name = "TOKEN", env = "HUB_LOCAL_LOAD_BEARER", hide_env_values = true, value_parser = secret)]
    pub bearer: Option<Secret>,
    /// Drives broadcasts and groups by REST calls to this service, not by a hub method. With a URL of the
    /// service itself, `…/client/?hub=NAME`, clients need no app to negotiate
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
    /// All clients are cut off and come back at once, then REST calls send to everyone.
    Reconnect,
    /// REST calls join every client to every group and take it out again, and it is checked who is in.
    Membership,
}

/// The hub protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LoadProtocol {
    /// Text.
    #[default]
    Json,
    /// Binary; not over Server-Sent Events.
    #[value(name = "messagepack", alias = "msgpack")]
    MessagePack,
}

/// The transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LoadTransport {
    /// WebSockets.
    #[default]
    #[value(name = "websockets", aliases = ["websocket", "ws"])]
    WebSockets,
    /// Server-Sent Events.
    #[value(name = "sse", aliases = ["serversentevents", "server-sent-events"])]
    #[serde(rename = "sse")]
    ServerSentEvents,
    /// Long polling.
    #[value(name = "longpolling", aliases = ["long-polling", "lp"])]
    LongPolling,
}

impl From<LoadProtocol> for Protocol {
    fn from(protocol: LoadProtocol) -> Self {
        match protocol {
            LoadProtocol::Json => Self::Json,
            LoadProtocol::MessagePack => Self::MessagePack,
        }
    }
}

impl LoadTransport {
    /// The name in negotiate answers.
    pub(crate) fn wire_name(self) -> &'static str {
        match self {
            Self::WebSockets => "WebSockets",
            Self::ServerSentEvents => "ServerSentEvents",
            Self::LongPolling => "LongPolling",
        }
    }
}

impl LoadArgs {
    /// How many clients do not read.
    pub(crate) fn slow_clients(&self) -> usize {
        self.clients.saturating_mul(usize::from(self.slow)).div_ceil(100)
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let refuse = |text: String| Err(LoadError::Arguments(text));
        let binary = Protocol::from(self.protocol).is_binary();
        if binary && self.transport == LoadTransport::ServerSentEvents {
            return refuse(
                "--transport sse carries text only: use --protocol json, or another transport"
                    .to_owned(),
            );
        }
        let rate = self.rate.map_or(1, |rate| usize::try_from(rate).unwrap_or(usize::MAX));
        let positive = [
            ("rate", rate),
            ("clients", self.clients),
            ("inflight", self.inflight),
            ("window", self.window),
            ("connects", self.connects),
            ("groups", self.groups),
            ("rounds", usize::try_from(self.rounds).unwrap_or(usize::MAX)),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, number)| *number == 0) {
            return refuse(format!("--{name} must be at least 1"));
        }
        let bounded = [
            ("rate", rate, MAX_RATE),
            ("window", self.window, MAX_WINDOW),
            ("payload", self.payload, MAX_PAYLOAD),
        ];
        if let Some((name, _, most)) = bounded.iter().find(|(_, number, most)| number > most) {
            return refuse(format!("--{name} must be at most {most}"));
        }
        let scenario = self.scenario;
        let is_streaming = matches!(scenario, Scenario::Broadcast | Scenario::Group);
        let is_counted = matches!(scenario, Scenario::Reconnect | Scenario::Membership);
        if self.connection_string.is_some() && !is_streaming && !is_counted {
            return refuse(format!(
                "--connection-string drives --scenario broadcast, group, reconnect and membership, \
                 not {scenario}"
            ));
        }
        if self.connection_string.is_none() && is_counted {
            return refuse(format!(
                "--scenario {scenario} needs the --connection-string of the service"
            ));
        }
        if self.rate.is_some() && !is_streaming && scenario != Scenario::Echo {
            return refuse(format!(
                "--rate is the pace of --scenario broadcast, group and echo, not {scenario}"
            ));
        }
        let listens = is_streaming || scenario == Scenario::Idle;
        if self.slow > 0 && (!listens || self.transport != LoadTransport::WebSockets) {
            return refuse(
                "--slow is for clients that listen, over --transport websockets".to_owned(),
            );
        }
        if self.slow_clients() >= self.clients {
            return refuse("--slow leaves nobody who reads".to_owned());
        }
        if (self.check || is_counted) && self.payload < SEQUENCE_DIGITS {
            return refuse(format!(
                "--check needs a --payload of {SEQUENCE_DIGITS} bytes at least"
            ));
        }
        Ok(())
    }
}

impl fmt::Display for LoadProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Protocol::from(*self).name())
    }
}

impl fmt::Display for LoadTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WebSockets => "websockets",
            Self::ServerSentEvents => "sse",
            Self::LongPolling => "longpolling",
        })
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Echo => "echo",
            Self::Broadcast => "broadcast",
            Self::Group => "group",
            Self::Idle => "idle",
            Self::Reconnect => "reconnect",
            Self::Membership => "membership",
        })
    }
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::from(text))
}
