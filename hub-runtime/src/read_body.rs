//! Reading a request body of any type, up to a limit.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// A body that has not been read.
pub(crate) trait ReadBody: Send {
    /// Reads it whole. Nothing beyond `limit` bytes is kept.
    fn read(
        self: Box<Self>,
        limit: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send>>;
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    TooLarge,
    Broken,
}

impl<B> ReadBody for B
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn read(
        self: Box<Self>,
        limit: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send>> {
        Box::pin(async move {
            match Limited::new(Box::into_pin(self), limit).collect().await {
                Ok(collected) => Ok(collected.to_bytes()),
                Err(error) if error.is::<LengthLimitError>() => Err(ReadError::TooLarge),
                Err(_) => Err(ReadError::Broken),
            }
        })
    }
}
