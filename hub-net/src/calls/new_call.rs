//! A call to send.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;

use super::{MAX_CALL_BYTES, MAX_LINES_BYTES};

/// Header lines that many calls have in common.
pub struct Block {
    /// Unique in this process.
    number: u64,
    lines: Vec<u8>,
}

impl Block {
    /// The lines, each with its line break.
    #[must_use]
    pub fn new(lines: Vec<u8>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        // Relaxed: only the number matters.
        Self { number: LAST.fetch_add(1, Ordering::Relaxed) + 1, lines }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// The memory that the lines use.
    #[must_use]
    pub fn size(&self) -> usize {
        self.lines.capacity()
    }
}

/// A call to send.
#[derive(Clone, Copy)]
pub(crate) struct NewCall<'a> {
    /// The header line with the host.
    pub(crate) host: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) block: &'a Block,
    /// Header lines of this call only.
    pub(crate) lines: &'a [&'a [u8]],
    pub(crate) body: &'a Bytes,
}

/// Lines contain signatures and claims: only their length is written.
impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines.len();
        f.debug_struct("Block").field("number", &self.number).field("lines", &lines).finish()
    }
}

impl NewCall<'_> {
    pub(super) fn fits(&self) -> bool {
        let lines = self.lines.iter().map(|part| part.len()).sum::<usize>();
        self.host.len() + self.block.lines.len() <= MAX_LINES_BYTES
            && self.target.len() + lines + self.body.len() <= MAX_CALL_BYTES
    }
}
