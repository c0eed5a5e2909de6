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
    /// Whether the arguments are a copy, see [`Self::detach`].
    is_detached: bool,
    /// What the inspector knows about the call; `None` if it is off.
    pub(crate) seen: Option<Arc<Conversation>>,
    pub(crate) trace: Option<Box<TraceContext>>,
}

impl Call {
    /// A call as it was read. The inspector has not seen it.
    pub(crate) fn new(
        invocation_id: Option<String>,
        target: String,
        arguments: Bytes,
        trace: Option<Box<TraceContext>>,
    ) -> Self {
        Self { invocation_id, target, arguments, is_detached: false, seen: None, trace }
    }

    /// The memory that the parts of the call use.
    pub(crate) fn size(&self) -> usize {
        let id = self.invocation_id.as_ref().map_or(0, String::capacity);
        let trace = self.trace.as_ref().map_or(0, |trace| trace.size());
        id + self.target.capacity() + self.arguments.len() + trace
    }

    /// Copies the arguments out of the read buffer, once. A slice keeps the whole buffer alive, which can be a
    /// thousand times larger than the size counted for a queued call.
    pub(crate) fn detach(&mut self) {
        if !std::mem::replace(&mut self.is_detached, true) {
            self.arguments = Bytes::copy_from_slice(&self.arguments);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_copied_out_of_the_read_buffer_once() {
        let buffer = Bytes::from(b"[1][2]".to_vec());
        let mut call = Call::new(None, "add".to_owned(), buffer.slice(..3), None);

        call.detach();
        let copy = call.arguments.as_ptr();
        call.detach();

        assert_eq!(call.arguments, "[1]");
        assert!(buffer.is_unique() && call.arguments.as_ptr() == copy);
    }
}
