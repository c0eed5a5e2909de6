//! A client's call of a hub method, queued for the upstream.

use bytes::Bytes;

/// A client's call of a hub method.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) invocation_id: Option<String>,
    pub(crate) target: String,
    pub(crate) arguments: Bytes,
    pub(crate) stream_ids: Vec<String>,
    /// Size in memory in bytes, for the quota.
    pub(crate) size: usize,
}

impl Call {
    /// Copies the arguments out of the read buffer. A slice would keep the whole buffer alive. The buffer can
    /// be a thousand times larger than the size that is counted for a queued call.
    pub(crate) fn detach(&mut self) {
        self.arguments = Bytes::copy_from_slice(&self.arguments);
    }
}
