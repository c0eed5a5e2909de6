//! Limits that a few messages reach.

/// The service limits that an outbox reads.
pub(crate) struct Limits {
    pub(crate) max_outbox_bytes: usize,
    pub(crate) max_outbox_messages: usize,
}

pub(crate) const MAX_SEGMENT_MESSAGES: usize = 2;
pub(crate) const MAX_SEGMENT_BYTES: u64 = 1000;
