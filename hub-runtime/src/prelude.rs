//! The imports of most apps: `use hub_runtime::prelude::*;`.

pub use hub_core::{
    Claims, Context, Filter, FromContext, Hub, HubContext, HubError, HubResult, IntoHubError,
    Invocation, InvokeError, Maintenance, NegotiateRequest, Negotiation, OrReject, RateLimit,
    RefreshRequest, RequireClaim, SendError, SignedIn, Target,
};
pub use hub_macros::{filter, from_context, hub, hub_client, serverless_hub};

pub use crate::{HubApp, SignalR};
