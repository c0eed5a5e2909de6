//! What is sent to clients: an event name and its encoded arguments.

use bytes::Bytes;
use serde::Serialize;

use crate::{names, outbound::SendError};

/// A message to clients, encoded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    target: String,
    arguments: Bytes,
}

impl Payload {
    /// The event that the clients listen on.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The arguments as a JSON array.
    #[must_use]
    pub fn json_arguments(&self) -> &Bytes {
        &self.arguments
    }
}

/// Arguments that are being encoded; the first failure is kept for the send.
#[doc(hidden)]
#[derive(Debug)]
pub struct Arguments {
    json: Vec<u8>,
    failure: Option<serde_json::Error>,
}

impl Arguments {
    /// No arguments yet.
    #[must_use]
    pub fn new() -> Self {
        Self { json: vec![b'['], failure: None }
    }

    /// Encodes the next argument.
    #[must_use]
    pub fn push<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        if self.failure.is_none() {
            if self.json.len() > 1 {
                self.json.push(b',');
            }
            self.failure = serde_json::to_writer(&mut self.json, value).err();
        }
        self
    }

    /// The finished JSON array.
    ///
    /// # Errors
    /// The first value that could not be serialised.
    pub fn into_json(mut self) -> Result<Bytes, SendError> {
        if let Some(error) = self.failure {
            return Err(SendError::Encode(Box::new(error)));
        }
        self.json.push(b']');
        Ok(self.json.into())
    }

    /// The finished message.
    pub(crate) fn into_payload(self, target: &str) -> Result<Payload, SendError> {
        names::check_event(target)?;
        Ok(Payload { target: target.to_owned(), arguments: self.into_json()? })
    }
}

impl Default for Arguments {
    fn default() -> Self {
        Self::new()
    }
}

/// The arguments of an untyped send: a tuple, up to twelve values.
///
/// ```
/// # fn takes(_: impl hub_core::ArgumentList) {}
/// takes(("rust", 3));
/// takes(("one",));
/// takes(());
/// ```
#[diagnostic::on_unimplemented(
    message = "arguments are a tuple of serialisable values",
    label = "`{Self}` is not such a tuple",
    note = "write `(value,)` for one argument and `()` for none"
)]
pub trait ArgumentList {
    #[doc(hidden)]
    fn encode(self) -> Arguments;
}

impl ArgumentList for () {
    fn encode(self) -> Arguments {
        Arguments::new()
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        #[allow(non_snake_case, reason = "the type parameters double as variable names")]
        impl<$($name: Serialize),+> ArgumentList for ($($name,)+) {
            fn encode(self) -> Arguments {
                let ($($name,)+) = self;
                Arguments::new()$(.push(&$name))+
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_becomes_a_json_array() {
        let payload = ("rust", 3, None::<u8>).encode().into_payload("m").unwrap();

        assert_eq!(&payload.json_arguments()[..], br#"["rust",3,null]"#);
    }

    #[test]
    fn an_event_that_would_be_a_path_is_refused() {
        assert!(matches!(().encode().into_payload(".."), Err(SendError::Name(_))));
    }
}
