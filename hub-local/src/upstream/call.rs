//! A client's call of a hub method, queued for the upstream.

use std::sync::Arc;

use bytes::Bytes;
use hub_core::TraceContext;

use crate::inspect::Conversation;

/// A client's call of a hub method.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) invocation_id: Option<String>,
    pub(crate) target: String,
    pub(crate) arguments: Bytes,
    /// What the inspector knows about the call; `None` if it is off.
    pub(crate) seen: Option<Arc<Conversation>>,
    pub(crate) trace: Option<Box<TraceContext>>,
}

impl Call {
    /// The memory that the parts of the call use.
    pub(crate) fn size(&self) -> usize {
        let id = self.invocation_id.as_ref().map_or(0, String::capacity);
        let trace = self.trace.as_ref().map_or(0, |trace| trace.size());
        id + self.target.capacity() + self.arguments.len() + trace
    }

    /// Copies the arguments out of the read buffer. A slice keeps the whole buffer alive, which can be a
    /// thousand times larger than the size counted for a queued call.
    pub(crate) fn detach(&mut self) {
        self.arguments = Bytes::copy_from_slice(&self.arguments);
    }
}
