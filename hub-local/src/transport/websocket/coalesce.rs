//! Short frames in one piece, because a slice costs the system more than copying so little.

use crate::delivery::{batch::Batch, segment::RunKey};

/// How much is joined at most.
const MAX_BYTES: usize = 64 * 1024;

/// The batch that was joined last. Under load many clients are sent the same in a row, and then it
/// is joined once.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    bytes: Vec<u8>,
    /// What is in there, if others may be sent the same.
    keys: Vec<RunKey>,
}

impl Coalescer {
    /// The frames one after the other: all of them, or as many as fit.
    pub(super) fn coalesce(&mut self, batch: &Batch) -> &[u8] {
        if self.keys.is_empty() || !batch.keys().eq(self.keys.iter().copied().map(Some)) {
            self.join(batch);
        }
        &self.bytes
    }

    fn join(&mut self, batch: &Batch) {
        self.bytes.clear();
        self.keys.clear();
        for frame in batch.iter() {
            if self.bytes.len() + frame.bytes().len() > MAX_BYTES {
                return;
            }
            self.bytes.extend_from_slice(frame.bytes());
        }
        self.keys.extend(batch.keys().map_while(|key| key));
        if self.keys.len() < batch.keys().count() {
            self.keys.clear();
        }
    }
}
