//! Command line of the load tool.

use std::{convert::Infallible, fmt};

use clap::{Args, ValueEnum};
use hub_core::{Secret, protocol::Protocol};
use serde::Serialize;

use crate::LoadError;

/// Length of the sequence number at the start of a payload, in hexadecimal digits.
pub(crate) const SEQUENCE_DIGITS: usize = 16;
/// Maximum rate in messages per second. At this rate the interval between messages is 1 µs.
const MAX_RATE: usize = 1_000_000;
/// Maximum window in messages. Each message takes a slot in memory.
const MAX_WINDOW: usize = 1 << 20;
/// Maximum payload size in bytes. It exceeds the limits of all known servers.
const MAX_PAYLOAD_BYTES: usize = 1 << 28;

/// Generate load on a SignalR server and measure it.
///
/// The hub needs these methods: `echo(payload)` returns its argument; `broadcast(payload)` and
/// `sendToGroup(name, payload)` call the client method `message(payload)`; `joinGroup(name)` adds
/// the caller to a group. Other names can be set with options.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// URL of the hub as passed to a client; `/negotiate` is appended
    pub url: String,
    /// Number of clients
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub clients: usize,
    /// Duration of the measurement in seconds
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub seconds: u64,
    /// What the clients do
    #[arg(long, value_enum, default_value_t)]
    pub scenario: Scenario,
    /// Payload length in bytes
    #[arg(long, value_name = "B", default_value_t = 32)]
    pub payload: usize,
    /// Hub protocol
    #[arg(long, value_enum, default_value_t)]
    pub protocol: LoadProtocol,
    /// Transport
    #[arg(long, value_enum, default_value_t)]
    pub transport: LoadTransport,
    /// Maximum pending calls: echo calls per client, or REST calls in total
    #[arg(long, value_name = "K", default_value_t = 8)]
    pub inflight: usize,
    /// Maximum pending broadcasts; a broadcast is pending until all clients have received it
    #[arg(long, value_name = "K", default_value_t = 64)]
    pub window: usize,
    /// Messages per second, over all clients (default: as fast as possible)
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Percentage of clients that never read (4 KiB receive buffer)
    #[arg(long, value_name = "PERCENT", default_value_t = 0)]
    pub slow: u8,
    /// Groups that each client joins and leaves
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub groups: usize,
    /// Number of reconnect storms, or of join-and-leave rounds
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub rounds: u32,
    /// Maximum concurrent connects
    #[arg(long, value_name = "K", default_value_t = 64)]
    pub connects: usize,
    /// Warm-up before the measurement in seconds
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub warm_up: u64,
    /// Start measuring at the first line on standard input instead of after the warm-up
    #[arg(long)]
    pub wait: bool,
    /// Parse and compare every message instead of only counting messages
    #[arg(long)]
    pub check: bool,
    /// Bearer token for the app's negotiate endpoint
    #[arg(long, value_name = "TOKEN", env = "HUB_LOCAL_LOAD_BEARER", hide_env_values = true, value_parser = secret)]
    pub bearer: Option<Secret>,
    /// Connection string of the service: send broadcasts and change groups by REST calls instead of
    /// hub methods. With a URL of the service itself, `…/client/?hub=NAME`, no app is needed
    #[arg(long, value_name = "TEXT", env = "HUB_LOCAL_LOAD_CONNECTION_STRING", hide_env_values = true, value_parser = secret)]
    pub connection_string: Option<Secret>,
    /// Hub for REST calls (default: the hub in the negotiate response)
    #[arg(long, value_name = "NAME")]
    pub hub: Option<String>,
    /// Hub method that returns its argument
    #[arg(long, value_name = "NAME", default_value = "echo")]
    pub echo: String,
    /// Hub method that sends to all clients
    #[arg(long, value_name = "NAME", default_value = "broadcast")]
    pub broadcast: String,
    /// Hub method that adds the caller to a group
    #[arg(long, value_name = "NAME", default_value = "joinGroup")]
    pub join_group: String,
    /// Hub method that sends to a group
    #[arg(long, value_name = "NAME", default_value = "sendToGroup")]
    pub send_to_group: String,
    /// Client method that the hub calls
    #[arg(long, value_name = "NAME", default_value = "message")]
    pub message: String,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scenario {
    /// Each client calls a hub method that returns its argument.
    #[default]
    Echo,
    /// Messages are sent to all clients.
    Broadcast,
    /// Messages are sent to one group with all clients in it.
    Group,
    /// Clients are connected without traffic.
    Idle,
    /// All clients are disconnected and reconnect at once; then messages are sent to all by REST.
    Reconnect,
    /// REST calls add each client to each group and remove it again; the members are verified.
    Membership,
}

/// Hub protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LoadProtocol {
    /// JSON text.
    #[default]
    Json,
    /// MessagePack, binary; not available over Server-Sent Events.
    #[value(name = "messagepack", alias = "msgpack")]
    MessagePack,
}

/// Transport.
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
    /// Name in negotiate responses.
    pub(crate) fn wire_name(self) -> &'static str {
        match self {
            Self::WebSockets => "WebSockets",
            Self::ServerSentEvents => "ServerSentEvents",
            Self::LongPolling => "LongPolling",
        }
    }
}

impl LoadArgs {
    /// Number of clients that never read.
    pub(crate) fn slow_clients(&self) -> usize {
        self.clients.saturating_mul(usize::from(self.slow)).div_ceil(100)
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let refuse = |text: &str| Err(LoadError::Arguments(text.to_owned()));
        let binary = Protocol::from(self.protocol).is_binary();
        if binary && self.transport == LoadTransport::ServerSentEvents {
            return refuse(
                "--transport sse carries text only: use --protocol json, or another transport",
            );
        }
        let rate = self.rate.map_or(1, |rate| usize::try_from(rate).unwrap_or(usize::MAX));
        let rounds = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        for (name, number, min, max) in [
            ("rate", rate, 1, MAX_RATE),
            ("clients", self.clients, 1, usize::MAX),
            ("inflight", self.inflight, 1, usize::MAX),
            ("window", self.window, 1, MAX_WINDOW),
            ("connects", self.connects, 1, usize::MAX),
            ("groups", self.groups, 1, usize::MAX),
            ("rounds", rounds, 1, usize::MAX),
            ("payload", self.payload, 0, MAX_PAYLOAD_BYTES),
        ] {
            if number < min {
                return refuse(&format!("--{name} must be at least {min}"));
            }
            if number > max {
                return refuse(&format!("--{name} must be at most {max}"));
            }
        }
        let scenario = self.scenario;
        let is_streaming = scenario.is_streaming();
        let is_counted = matches!(scenario, Scenario::Reconnect | Scenario::Membership);
        if self.connection_string.is_some() && !is_streaming && !is_counted {
            return refuse(&format!(
                "--connection-string applies to --scenario broadcast, group, reconnect and membership, \
                 not {scenario}"
            ));
        }
        if self.connection_string.is_none() && is_counted {
            return refuse(&format!(
                "--scenario {scenario} requires the --connection-string of the service"
            ));
        }
        if self.rate.is_some() && !is_streaming && scenario != Scenario::Echo {
            return refuse(&format!(
                "--rate applies to --scenario broadcast, group and echo, not {scenario}"
            ));
        }
        let receives = is_streaming || scenario == Scenario::Idle;
        if self.slow > 0 && (!receives || self.transport != LoadTransport::WebSockets) {
            return refuse(
                "--slow requires --transport websockets and --scenario broadcast, group or idle",
            );
        }
        if self.slow_clients() >= self.clients {
            return refuse("--slow leaves no client that reads");
        }
        if (self.check || is_counted) && self.payload < SEQUENCE_DIGITS {
            return refuse(&format!(
                "--check requires a --payload of at least {SEQUENCE_DIGITS} bytes"
            ));
        }
        Ok(())
    }
}

impl Scenario {
    /// Whether messages are sent to all clients continuously.
    pub(crate) fn is_streaming(self) -> bool {
        matches!(self, Self::Broadcast | Self::Group)
    }
}

impl fmt::Display for LoadProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(self, formatter)
    }
}

impl fmt::Display for LoadTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(self, formatter)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(self, formatter)
    }
}

/// Writes a value as it is written on the command line.
fn write_name(value: &impl ValueEnum, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    formatter.write_str(value.to_possible_value().ok_or(fmt::Error)?.get_name())
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::from(text))
}
