//! Where a writer writes.

use std::io;

use crate::connection::outbox::Batch;

/// The sending half, as an outbox sees it.
pub(crate) trait Sink {
    /// Writes all frames and leaves the batch empty.
    fn write(&mut self, batch: &mut Batch) -> impl Future<Output = io::Result<()>>;

    /// Says that nothing more comes.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>>;
}
