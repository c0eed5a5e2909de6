//! A buffer of each thread, for messages whose size is not known in advance.

use std::cell::Cell;

/// The initial size of a buffer in bytes. Most messages fit.
const INITIAL: usize = 256;
/// The largest buffer that a thread keeps, in bytes.
pub(super) const MAX_KEPT: usize = 4096;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `write` with an empty buffer. Within `write`, a second call gets another buffer.
pub(super) fn with<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    buffer.reserve(INITIAL);
    let written = write(&mut buffer);
    if buffer.capacity() <= MAX_KEPT {
        // Fails only while the thread ends.
        let _ = BUFFER.try_with(|kept| kept.set(buffer));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_unless_it_is_large_or_in_use() {
        let at = with(|outer| {
            outer.extend_from_slice(b"outer");
            with(|inner| {
                assert!(inner.is_empty());
                inner.push(1);
            });
            assert_eq!(outer, b"outer");
            outer.as_ptr()
        });
        with(|again| {
            assert!(again.is_empty());
            assert_eq!(again.as_ptr(), at);
            again.reserve(MAX_KEPT + 1);
        });

        with(|small| assert!(small.capacity() < MAX_KEPT));
    }
}
