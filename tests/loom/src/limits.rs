//! Sizes that few messages reach.

/// As much of the service's limits as an outbox looks at.
pub(crate) struct Limits {
    pub(crate) max_outbox_bytes: usize,
    pub(crate) max_outbox_messages: usize,
}

pub(crate) const MAX_SEGMENT_MESSAGES: usize = 2;
pub(crate) const MAX_SEGMENT_BYTES: u64 = 1000;
