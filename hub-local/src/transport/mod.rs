//! How bytes come and go. A connection's life does not depend on it.

mod accept;
pub(crate) mod client_routes;
mod cors;
pub(crate) mod memory;
pub(crate) mod negotiate;
pub(crate) mod websocket;

use std::{collections::VecDeque, future::Future, io};

use bytes::Bytes;

use crate::connection::outbox::Frame;

/// What a client did.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// It sent bytes: any part of a message, or several.
    Data(Bytes),
    /// It closed the transport in order.
    Closed,
}

/// The receiving half. Dropping a future of it loses nothing.
pub(crate) trait Source: Send {
    /// Whether the client's side must close before ours, lest the last bytes are lost by a reset.
    const LINGERS: bool;

    /// Waits for the client. An error means that the transport is gone.
    fn receive(&mut self) -> impl Future<Output = io::Result<Incoming>> + Send;
}

/// The sending half.
pub(crate) trait Sink: Send {
    /// Writes all frames and leaves the batch empty.
    fn write(&mut self, batch: &mut VecDeque<Frame>)
    -> impl Future<Output = io::Result<()>> + Send;

    /// Says that nothing more comes.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Closes for good.
    fn shut(&mut self) -> impl Future<Output = ()> + Send;
}
