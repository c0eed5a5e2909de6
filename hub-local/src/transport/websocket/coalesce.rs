//! Joins short frames into one buffer: copying a short frame costs less than passing one more slice to the
//! system.

use crate::delivery::{batch::Batch, segment::RunKey};

/// Maximum size of the buffer in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// The last joined batch. Under load, many clients receive the same batch in a row. The batch is then
/// joined only once.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    bytes: Vec<u8>,
    /// The keys of the joined frames; empty if the buffer cannot be reused.
    keys: Vec<RunKey>,
}

impl Coalescer {
    /// The joined frames: all frames, or as many as fit in the buffer.
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
