//! The sending half of a transport.

use std::{future::Future, io};

use super::{
    batch::Batch,
    outbox::{Outbox, Size},
};

/// Writes the frames of one client.
pub(crate) trait Sink: Send + Sized {
    /// Writes until the outbox is closed and empty, then finishes.
    fn drain(&mut self, outbox: &Outbox) -> impl Future<Output = io::Result<()>> + Send {
        async {
            let (mut batch, mut written) = (Batch::default(), Size::default());
            while outbox.next_batch(&mut batch, &mut written).await {
                let taken = Size { messages: batch.len(), bytes: batch.bytes() };
                self.write(&mut batch).await?;
                written = taken;
            }
            self.finish().await
        }
    }

    /// Writes all frames and leaves the batch empty.
    fn write(&mut self, batch: &mut Batch) -> impl Future<Output = io::Result<()>> + Send;

    /// Ends the stream to the client.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Closes the transport.
    fn shut(&mut self) -> impl Future<Output = ()> + Send;
}
