//! One call to the service: its endpoint, its name in telemetry, and whether it may be repeated.

use hub_core::outbound::{Change, Check, CloseTarget, Recipients};

use super::{
    body::Body,
    endpoints::{self, Endpoint},
    retry::Idempotency,
};

/// One call. All attempts use the same value.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The hub's name at the service, in lower case.
    pub(super) hub: &'a str,
    /// The name in spans and metrics.
    pub(super) operation: &'static str,
    pub(super) endpoint: Endpoint,
    pub(super) body: Option<Body>,
    pub(super) idempotency: Idempotency,
}

impl<'a> Call<'a> {
    pub(super) fn send(hub: &'a str, to: &Recipients<'_>, body: Body) -> Self {
        let operation = send_operation(to);
        let endpoint = endpoints::send(hub, to);
        Self { hub, operation, endpoint, body: Some(body), idempotency: Idempotency::NotIdempotent }
    }

    pub(super) fn invoke(hub: &'a str, connection_id: &str, body: Body) -> Self {
        let endpoint = endpoints::invoke(hub, connection_id);
        Self {
            hub,
            operation: "invoke",
            endpoint,
            body: Some(body),
            idempotency: Idempotency::NotIdempotent,
        }
    }

    /// Gets a temporary key that signs client tokens.
    pub(super) fn access_key() -> Self {
        let (hub, endpoint) = ("", endpoints::access_key());
        Self {
            hub,
            operation: "access_key",
            endpoint,
            body: None,
            idempotency: Idempotency::Idempotent,
        }
    }

    /// Lets the service generate a client token.
    pub(super) fn generate_token(hub: &'a str, user: Option<&str>, minutes: u64) -> Self {
        let endpoint = endpoints::generate_token(hub, user, minutes);
        Self {
            hub,
            operation: "generate_token",
            endpoint,
            body: None,
            idempotency: Idempotency::Idempotent,
        }
    }

    pub(super) fn change(hub: &'a str, change: &Change) -> Self {
        let endpoint = endpoints::change(hub, change);
        let (operation, idempotency) = match change {
            Change::JoinGroup { .. } => ("join_group", Idempotency::Idempotent),
            Change::LeaveGroup { .. } => ("leave_group", Idempotency::Idempotent),
            Change::LeaveAllGroups { .. } => ("leave_all_groups", Idempotency::Idempotent),
            Change::UserJoinsGroup { .. } => ("user_joins_group", Idempotency::Idempotent),
            Change::UserLeavesGroup { .. } => ("user_leaves_group", Idempotency::Idempotent),
            Change::UserLeavesAllGroups { .. } => {
                ("user_leaves_all_groups", Idempotency::Idempotent)
            }
            Change::Close { whom: CloseTarget::Connection(_), .. } => {
                ("close_connection", Idempotency::Idempotent)
            }
            // A repetition would also close clients that have reconnected in the meantime.
            Change::Close {
                whom: CloseTarget::User { .. } | CloseTarget::Group { .. } | CloseTarget::All { .. },
                ..
            } => ("close_connections", Idempotency::NotIdempotent),
            // A repetition could replace the claims of a later refresh.
            Change::Refresh { .. } => ("refresh_connection", Idempotency::NotIdempotent),
        };
        Self { hub, operation, endpoint, body: None, idempotency }
    }

    /// Refreshes the connection whose token is in the body.
    pub(super) fn refresh(hub: &'a str, body: Body) -> Self {
        Self {
            hub,
            operation: "refresh_connection",
            endpoint: endpoints::refresh(hub),
            body: Some(body),
            idempotency: Idempotency::NotIdempotent,
        }
    }

    /// The call, and the error code that means `false`.
    pub(super) fn check(hub: &'a str, check: &Check) -> (Self, &'static str) {
        let (endpoint, no) = endpoints::check(hub, check);
        let operation = match check {
            Check::ConnectionExists(_) => "connection_exists",
            Check::UserExists(_) => "user_exists",
            Check::GroupExists(_) => "group_exists",
            Check::UserInGroup { .. } => "user_in_group",
        };
        (Self { hub, operation, endpoint, body: None, idempotency: Idempotency::Idempotent }, no)
    }

    pub(super) fn members(hub: &'a str, group: &str, continuation: Option<&str>) -> Self {
        let endpoint = endpoints::members(hub, group, continuation);
        Self {
            hub,
            operation: "list_group",
            endpoint,
            body: None,
            idempotency: Idempotency::Idempotent,
        }
    }
}

/// The name in spans and metrics of a send.
pub(super) fn send_operation(to: &Recipients<'_>) -> &'static str {
    match to {
        Recipients::All { .. } => "send_to_all",
        Recipients::Connection(_) => "send_to_connection",
        Recipients::Group { .. } => "send_to_group",
        Recipients::User(_) => "send_to_user",
    }
}
