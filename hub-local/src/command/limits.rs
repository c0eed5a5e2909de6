//! Options for limits.

use std::time::Duration;

use clap::Args;
use hub_local::Limits;

use super::values::{count, lifetime, size, time};

/// Options that override [`Limits`].
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits (sizes such as 64KiB, times such as 500ms, 15s or 2m)")]
pub(super) struct LimitArgs {
    /// Maximum size of a hub message from a client [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_message: Option<usize>,
    /// Maximum body size of a REST call [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    rest_body: Option<usize>,
    /// Maximum unsent data per client; a client with more unsent data is closed as slow [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    outbox_bytes: Option<usize>,
    /// Maximum unsent messages per client [default: 8192]
    #[arg(long, value_name = "N", value_parser = count)]
    outbox_messages: Option<usize>,
    /// Unsent data of all clients together above which responses to sends are delayed [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    all_outboxes_bytes: Option<usize>,
    /// Maximum concurrent upstream calls [default: 4096, less with few file descriptors]
    #[arg(long, value_name = "N", value_parser = count)]
    upstream_calls: Option<usize>,
    /// Timeout of an upstream call [default: 100s]
    #[arg(long = "upstream-time", value_name = "TIME", value_parser = time)]
    pub(super) upstream_timeout: Option<Duration>,
    /// Timeout for the head of a request, and for idle keep-alive connections [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    request_head: Option<Duration>,
    /// Timeout for the body of a request [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    request_body: Option<Duration>,
    /// Maximum sockets without a complete request; above this number, the oldest sockets are closed
    /// [default: 16384, less with few file descriptors]
    #[arg(long, value_name = "N", value_parser = count)]
    silent_sockets: Option<usize>,
    /// Maximum groups of one connection or user [default: 10000]
    #[arg(long, value_name = "N", value_parser = count)]
    groups: Option<usize>,
    /// Maximum group memberships in total [default: 1000000]
    #[arg(long, value_name = "N", value_parser = count)]
    memberships: Option<usize>,
    /// Timeout of the handshake [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    handshake: Option<Duration>,
    /// Maximum time between negotiate and connect [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    connect_within: Option<Duration>,
    /// Maximum time between the loss of a WebSocket and its resumption, with stateful reconnect [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    resume_within: Option<Duration>,
    /// Maximum time that a long poll waits for messages; at most the timeout of a proxy for a response
    /// without data [default: 45s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    poll_hold: Option<Duration>,
    /// Interval of server pings [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    keep_alive: Option<Duration>,
    /// Maximum time without data from a client, after the client's first ping [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    client_timeout: Option<Duration>,
    /// Closes connections of this age with `allowReconnect`, each in the last tenth of the time, to try how apps and
    /// clients reconnect [default: connections have no maximum age]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    max_connection_lifetime: Option<Duration>,
    /// Tolerated clock skew in token validation [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    token_leeway: Option<Duration>,
}

impl LimitArgs {
    /// The limits with these options applied. `descriptors` is the limit of file descriptors, if known.
    pub(super) fn limits(&self, descriptors: Option<usize>) -> Limits {
        let mut limits = Limits::default();
        if let Some(descriptors) = descriptors {
            // New clients cannot use the reserved descriptors. Half of the reserved descriptors are for
            // upstream calls, and half are for REST calls.
            let calls = (Limits::reserved_descriptors(descriptors) / 2).max(1);
            limits.max_upstream_calls = calls.min(limits.max_upstream_calls);
        }
        limits.max_file_descriptors = descriptors;
        set(&mut limits.max_message_bytes, self.max_message);
        set(&mut limits.max_rest_body_bytes, self.rest_body);
        set(&mut limits.max_outbox_bytes, self.outbox_bytes);
        set(&mut limits.max_outbox_messages, self.outbox_messages);
        set(&mut limits.max_total_outbox_bytes, self.all_outboxes_bytes);
        set(&mut limits.max_upstream_calls, self.upstream_calls);
        set(&mut limits.request_head_timeout, self.request_head);
        set(&mut limits.request_body_timeout, self.request_body);
        set(&mut limits.max_idle_sockets, self.silent_sockets);
        set(&mut limits.max_groups_per_member, self.groups);
        set(&mut limits.max_memberships, self.memberships);
        set(&mut limits.handshake_timeout, self.handshake);
        set(&mut limits.connect_timeout, self.connect_within);
        set(&mut limits.resume_timeout, self.resume_within);
        set(&mut limits.poll_timeout, self.poll_hold);
        set(&mut limits.keep_alive_interval, self.keep_alive);
        set(&mut limits.client_timeout, self.client_timeout);
        set(&mut limits.token_leeway, self.token_leeway);
        limits.max_connection_lifetime = self.max_connection_lifetime;
        limits
    }
}

fn set<T: Copy>(limit: &mut T, option: Option<T>) {
    *limit = option.unwrap_or(*limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_options_keep_their_defaults() {
        let arguments = LimitArgs { max_message: Some(7), ..LimitArgs::default() };

        let limits = arguments.limits(None);

        assert_eq!(limits.max_message_bytes, 7);
        assert_eq!(limits.max_rest_body_bytes, Limits::default().max_rest_body_bytes);
        assert_eq!(limits.max_upstream_calls, 4096);
    }

    #[test]
    fn a_quiet_poll_ends_before_common_proxies_cut_it_unless_an_option_sets_its_time() {
        let hold = |arguments: LimitArgs| arguments.limits(None).poll_timeout.as_secs();

        assert_eq!(hold(LimitArgs::default()), 45);
        let poll_hold = Some(Duration::from_secs(90));
        assert_eq!(hold(LimitArgs { poll_hold, ..LimitArgs::default() }), 90);
    }

    #[test]
    fn few_descriptors_allow_few_calls_by_default() {
        let calls = |arguments: LimitArgs, limit| arguments.limits(Some(limit)).max_upstream_calls;

        assert_eq!(calls(LimitArgs::default(), 256), 32);
        assert_eq!(calls(LimitArgs::default(), 1_000_000), 2048);
        let told = LimitArgs { upstream_calls: Some(500), ..LimitArgs::default() };
        assert_eq!(calls(told, 256), 500);
    }
}
