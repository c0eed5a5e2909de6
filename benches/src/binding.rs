//! Routing and binding alone: from an event and its unparsed arguments to the method's result,
//! without HTTP.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hub_core::{
    Category, InvocationParts, Payload, Reply,
    mounted::{Mounted, MountedHub},
    outbound::{Change, Check, MemberPage, Outbound},
};
use hub_runtime::prelude::*;

/// A hub with one method: two arguments, no filter.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

#[serverless_hub]
impl Plain {
    async fn add(&self, left: i64, right: String) -> HubResult<usize> {
        Ok(usize::try_from(left).unwrap_or_default() + right.len())
    }
}

/// A mounted hub, and the arguments of its calls besides the parts.
#[derive(Debug)]
pub struct Binding {
    hub: Arc<Mounted<Plain>>,
    outbound: Arc<Nowhere>,
    wire_name: Arc<str>,
}

impl Default for Binding {
    fn default() -> Self {
        let (hub, outbound) = (Arc::new(Mounted::new(Plain)), Arc::new(Nowhere));
        Self { hub, outbound, wire_name: "plain".into() }
    }
}

impl Binding {
    /// Creates the parts of a call, as the runtime parses them.
    #[must_use]
    pub fn parts(&self) -> InvocationParts {
        InvocationParts {
            arguments: Bytes::from_static(br#"[1,"two"]"#),
            invocation_id: Some("7".to_owned()),
            ..InvocationParts::new("plain", Category::Message, "add", "connection")
        }
    }

    /// Finds the method, binds both arguments, calls it, and encodes its result.
    #[must_use]
    pub fn call(&self, parts: InvocationParts) -> Option<Reply> {
        let row = self.hub.find(Category::Message, &parts.event);
        let hub = Arc::clone(&self.hub);
        let (outbound, wire_name) = (Arc::clone(&self.outbound), Arc::clone(&self.wire_name));
        let mut call = hub.call(row, parts, outbound, wire_name).outcome;
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(reply) => reply.ok(),
            Poll::Pending => None,
        }
    }
}

/// A service that does nothing.
#[derive(Debug)]
struct Nowhere;

#[async_trait]
impl Outbound for Nowhere {
    async fn send(&self, _: &str, _: Target, _: Payload) -> Result<(), SendError> {
        Ok(())
    }

    async fn invoke(
        &self,
        _: &str,
        _: &str,
        _: Payload,
        _: Option<Duration>,
    ) -> Result<Bytes, InvokeError> {
        Ok(Bytes::new())
    }

    async fn change(&self, _: &str, _: Change) -> Result<(), SendError> {
        Ok(())
    }

    async fn check(&self, _: &str, _: Check) -> Result<bool, SendError> {
        Ok(false)
    }

    async fn members(&self, _: &str, _: &str, _: Option<String>) -> Result<MemberPage, SendError> {
        Ok(MemberPage::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_with_two_arguments_is_routed_bound_and_answered_with_five_allocations() {
        let binding = Binding::default();
        let parts = binding.parts();
        // The first call of a thread creates its buffer.
        let mut reply = binding.call(binding.parts());

        let counted = allocation_counter::measure(|| reply = binding.call(parts));

        let framed = "{\"type\":3,\"invocationId\":\"7\",\"result\":4}\x1e";
        assert_eq!(reply, Some(Reply::Completion(framed.into())));
        assert!(counted.count_total <= 5, "{counted:?}");
    }
}
