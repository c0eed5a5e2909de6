//! A client's call of a hub method, on its way upstream.

use bytes::Bytes;

/// A client's call of a hub method.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) invocation_id: Option<String>,
    pub(crate) target: String,
    pub(crate) arguments: Bytes,
    pub(crate) stream_ids: Vec<String>,
    /// What it takes in memory.
    pub(crate) size: usize,
}

impl Call {
    /// A slice of what was read keeps all of it, which may be a thousand times as much. What has to
    /// wait takes the memory that it is counted with.
    pub(crate) fn detach(&mut self) {
        self.arguments = Bytes::copy_from_slice(&self.arguments);
    }
}
