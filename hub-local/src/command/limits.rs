//! Options for times and sizes.

use std::time::Duration;

use clap::Args;
use hub_local::Limits;

use super::values::{count, size, time};

/// Options that change [`Limits`]; what is absent keeps its default.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits (sizes such as 64KiB, times such as 500ms, 15s or 2m)")]
pub(super) struct LimitArgs {
    /// The biggest hub message of a client [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_message: Option<usize>,
    /// The biggest body of a REST call [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    rest_body: Option<usize>,
    /// What may wait for one client to read [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    outbox_bytes: Option<usize>,
    /// The same, in messages [default: 8192]
    #[arg(long, value_name = "N", value_parser = count)]
    outbox_messages: Option<usize>,
    /// What may wait for all clients together before answers to sends are held back [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    all_outboxes_bytes: Option<usize>,
    /// How many upstream calls may run at once [default: 4096, less with few file descriptors]
    #[arg(long, value_name = "N", value_parser = count)]
    upstream_calls: Option<usize>,
    /// How long an upstream call may take [default: 100s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) upstream_time: Option<Duration>,
    /// How long the head of a request may take, and a kept connection be idle [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    request_head: Option<Duration>,
    /// How long the body of a request may take [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    request_body: Option<Duration>,
    /// How many sockets may be open without a request; beyond, the oldest are closed [default: 16384,
    /// less with few file descriptors]
    #[arg(long, value_name = "N", value_parser = count)]
    silent_sockets: Option<usize>,
    /// How many groups one connection or user may be in [default: 10000]
    #[arg(long, value_name = "N", value_parser = count)]
    groups: Option<usize>,
    /// How many memberships in groups there may be in all [default: 1000000]
    #[arg(long, value_name = "N", value_parser = count)]
    memberships: Option<usize>,
    /// How long a client may take for its handshake [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    handshake: Option<Duration>,
    /// How long after negotiate a client must connect [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    connect_within: Option<Duration>,
    /// How often clients are pinged [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    keep_alive: Option<Duration>,
    /// How long a client that pings may be silent [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    client_timeout: Option<Duration>,
    /// How much clocks may differ when tokens are checked [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    token_leeway: Option<Duration>,
}

impl LimitArgs {
    /// The limits, with `descriptors` files for the process, where that is known.
    pub(super) fn limits(&self, descriptors: Option<usize>) -> Limits {
        let default = Limits::default();
        // Half of what is kept back from clients is for upstream calls, the rest for REST.
        let calls = descriptors.map(|limit| (Limits::reserved_descriptors(limit) / 2).max(1));
        let calls = calls.map_or(default.upstream_calls, |calls| calls.min(default.upstream_calls));
        Limits {
            max_message: self.max_message.unwrap_or(default.max_message),
            rest_body: self.rest_body.unwrap_or(default.rest_body),
            outbox_bytes: self.outbox_bytes.unwrap_or(default.outbox_bytes),
            outbox_messages: self.outbox_messages.unwrap_or(default.outbox_messages),
            all_outboxes_bytes: self.all_outboxes_bytes.unwrap_or(default.all_outboxes_bytes),
            upstream_calls: self.upstream_calls.unwrap_or(calls),
            request_head: self.request_head.unwrap_or(default.request_head),
            request_body: self.request_body.unwrap_or(default.request_body),
            silent_sockets: self.silent_sockets.unwrap_or(default.silent_sockets),
            groups: self.groups.unwrap_or(default.groups),
            memberships: self.memberships.unwrap_or(default.memberships),
            handshake: self.handshake.unwrap_or(default.handshake),
            connect_within: self.connect_within.unwrap_or(default.connect_within),
            keep_alive: self.keep_alive.unwrap_or(default.keep_alive),
            client_timeout: self.client_timeout.unwrap_or(default.client_timeout),
            token_leeway: self.token_leeway.unwrap_or(default.token_leeway),
            descriptors,
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_keeps_its_default() {
        let arguments = LimitArgs { max_message: Some(7), ..LimitArgs::default() };

        let limits = arguments.limits(None);

        assert_eq!(limits.max_message, 7);
        assert_eq!(limits.rest_body, Limits::default().rest_body);
        assert_eq!(limits.upstream_calls, 4096);
    }

    #[test]
    fn few_descriptors_allow_few_calls_unless_told() {
        let calls = |arguments: LimitArgs, limit| arguments.limits(Some(limit)).upstream_calls;

        assert_eq!(calls(LimitArgs::default(), 256), 32);
        assert_eq!(calls(LimitArgs::default(), 1_000_000), 2048);
        let told = LimitArgs { upstream_calls: Some(500), ..LimitArgs::default() };
        assert_eq!(calls(told, 256), 500);
    }
}
