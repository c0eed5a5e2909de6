//! An [`Outbound`] that records messages and forwards them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use hub_core::{
    InvokeError, Payload, SendError, Target,
    outbound::{Change, Check, MemberPage, Outbound},
};
use parking_lot::Mutex;
use serde_json::Value;

/// A message that the app sent to the service.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sent {
    /// The receivers.
    pub target: Target,
    /// The event.
    pub event: String,
    /// The arguments.
    pub arguments: Vec<Value>,
}

/// Records messages at the boundary to the service and forwards them.
pub(crate) struct Recorder {
    pub(crate) next: Arc<dyn Outbound>,
    pub(crate) sent: Record,
}

/// The recorded messages, shared with the test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Arc<Mutex<Vec<Sent>>>);

impl Record {
    pub(crate) fn all(&self) -> Vec<Sent> {
        self.0.lock().clone()
    }

    fn add(&self, target: Target, payload: &Payload) {
        let sent = Sent {
            target,
            event: payload.target().to_owned(),
            arguments: serde_json::from_slice(payload.json_arguments()).unwrap_or_default(),
        };
        self.0.lock().push(sent);
    }
}

#[async_trait]
impl Outbound for Recorder {
    async fn send(&self, hub: &str, target: Target, payload: Payload) -> Result<(), SendError> {
        self.sent.add(target.clone(), &payload);
        self.next.send(hub, target, payload).await
    }

    async fn invoke(
        &self,
        hub: &str,
        connection_id: &str,
        payload: Payload,
        timeout: Option<Duration>,
    ) -> Result<Bytes, InvokeError> {
        self.sent.add(Target::Connection(connection_id.to_owned()), &payload);
        self.next.invoke(hub, connection_id, payload, timeout).await
    }

    async fn change(&self, hub: &str, change: Change) -> Result<(), SendError> {
        self.next.change(hub, change).await
    }

    async fn check(&self, hub: &str, check: Check) -> Result<bool, SendError> {
        self.next.check(hub, check).await
    }

    async fn members(
        &self,
        hub: &str,
        group: &str,
        continuation: Option<String>,
    ) -> Result<MemberPage, SendError> {
        self.next.members(hub, group, continuation).await
    }

    fn pinned(self: Arc<Self>, names: &[String]) -> Result<Arc<dyn Outbound>, SendError> {
        let next = Arc::clone(&self.next).pinned(names)?;
        Ok(Arc::new(Self { next, sent: self.sent.clone() }))
    }
}
