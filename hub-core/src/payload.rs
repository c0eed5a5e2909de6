//! Messages to clients: the name of the client method and its arguments, encoded for every protocol.

use bytes::Bytes;
use serde::Serialize;

use crate::{
    names,
    outbound::SendError,
    protocol::{Message, Protocol},
};

/// A message to clients, encoded once per protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    target: String,
    json: Bytes,
    #[cfg(feature = "msgpack")]
    message_pack: Option<Bytes>,
}

impl Payload {
    /// The name of the client method.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The arguments as a JSON array.
    #[must_use]
    pub fn json_arguments(&self) -> &Bytes {
        &self.json
    }

    /// The arguments as an array in this protocol. `None` if only JSON can represent them. The service then
    /// converts the JSON for clients with another protocol.
    #[must_use]
    pub fn arguments(&self, protocol: Protocol) -> Option<&Bytes> {
        match protocol {
            Protocol::Json => Some(&self.json),
            #[cfg(feature = "msgpack")]
            Protocol::MessagePack => self.message_pack.as_ref(),
        }
    }

    /// The message for clients with this protocol. `None` if the protocol cannot represent the arguments.
    #[must_use]
    pub fn message(&self, protocol: Protocol) -> Option<Message> {
        Some(Message::Invocation {
            invocation_id: None,
            target: self.target.clone(),
            arguments: self.arguments(protocol)?.clone(),
            stream_ids: Vec::new(),
        })
    }
}

/// Encodes arguments. A value that cannot be encoded as JSON makes the send fail.
#[doc(hidden)]
#[derive(Debug)]
pub struct Arguments {
    json: Vec<u8>,
    failure: Option<serde_json::Error>,
    #[cfg(feature = "msgpack")]
    message_pack: message_pack::Arguments,
}

impl Arguments {
    /// Creates an empty list.
    #[must_use]
    pub fn new() -> Self {
        Self {
            json: vec![b'['],
            failure: None,
            #[cfg(feature = "msgpack")]
            message_pack: Default::default(),
        }
    }

    /// Encodes the next argument.
    #[must_use]
    pub fn push<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        if self.failure.is_none() {
            if self.json.len() > 1 {
                self.json.push(b',');
            }
            self.failure = serde_json::to_writer(&mut self.json, value).err();
            #[cfg(feature = "msgpack")]
            self.message_pack.push(value);
        }
        self
    }

    /// The finished JSON array.
    ///
    /// # Errors
    /// When a value could not be serialised. Reports the first such value.
    pub fn into_json(self) -> Result<Bytes, SendError> {
        finish(self.json, self.failure)
    }

    /// The finished message.
    pub(crate) fn into_payload(self, target: &str) -> Result<Payload, SendError> {
        names::check_event(target)?;
        Ok(Payload {
            target: target.to_owned(),
            json: finish(self.json, self.failure)?,
            #[cfg(feature = "msgpack")]
            message_pack: self.message_pack.finish(),
        })
    }
}

fn finish(mut json: Vec<u8>, failure: Option<serde_json::Error>) -> Result<Bytes, SendError> {
    if let Some(error) = failure {
        return Err(SendError::Encode(Box::new(error)));
    }
    json.push(b']');
    Ok(json.into())
}

/// The same arguments in MessagePack.
#[cfg(feature = "msgpack")]
mod message_pack {
    use bytes::Bytes;
    use serde::Serialize;

    use crate::protocol::msgpack::{Writer, write_value};

    #[derive(Debug, Default)]
    pub(super) struct Arguments {
        encoded: Vec<u8>,
        count: usize,
        /// Whether MessagePack cannot represent an argument. The message is then sent only as JSON.
        failed: bool,
    }

    impl Arguments {
        pub(super) fn push<T: Serialize + ?Sized>(&mut self, value: &T) {
            self.count += 1;
            self.failed |= write_value(&mut self.encoded, value).is_err();
        }

        pub(super) fn finish(self) -> Option<Bytes> {
            if self.failed {
                return None;
            }
            let mut out = Writer(Vec::with_capacity(self.encoded.len() + 5));
            out.array(self.count);
            out.raw(&self.encoded);
            Some(out.0.into())
        }
    }
}

impl Default for Arguments {
    fn default() -> Self {
        Self::new()
    }
}

/// The arguments of an untyped send: a tuple of up to twelve values.
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
        #[allow(non_snake_case, reason = "the variables have the names of the type parameters")]
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

    #[cfg(feature = "msgpack")]
    #[test]
    fn a_tuple_becomes_a_messagepack_array() {
        let payload = ("rust", 3, None::<u8>).encode().into_payload("m").unwrap();
        let none = ().encode().into_payload("m").unwrap();

        let encoded = payload.arguments(Protocol::MessagePack).unwrap();
        assert_eq!(&encoded[..], b"\x93\xa4rust\x03\xc0");
        assert_eq!(&none.arguments(Protocol::MessagePack).unwrap()[..], b"\x90");
    }

    #[test]
    fn an_event_that_changes_the_path_is_refused() {
        assert!(matches!(().encode().into_payload(".."), Err(SendError::Name(_))));
    }
}
