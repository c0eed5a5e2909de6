//! Messages to clients: the name of the client method and its arguments, encoded for every protocol.

use bytes::Bytes;
use serde::Serialize;

use crate::{
    names,
    outbound::SendError,
    protocol::{Message, Protocol, json_fields::is_deeper_than},
    values::write_json,
};

/// The largest plain message in each protocol, in bytes. In all protocols together it is far below the limit of the
/// service, 1 MiB.
const MAX_PLAIN_BYTES: usize = 256 * 1024;
/// The deepest nesting of a plain message. The limit of the protocols is 64 levels.
const MAX_PLAIN_DEPTH: usize = 32;

/// A message to clients, encoded once per protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    target: String,
    json: Bytes,
    #[cfg(feature = "msgpack")]
    message_pack: Bytes,
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

    /// The arguments as an array in this protocol.
    #[must_use]
    pub fn arguments(&self, protocol: Protocol) -> &Bytes {
        match protocol {
            Protocol::Json => &self.json,
            #[cfg(feature = "msgpack")]
            Protocol::MessagePack => &self.message_pack,
        }
    }

    /// Whether a service can pass the message on without a check of its bytes: it is far below the limits of size and
    /// nesting, and its method has a visible name. The encoder has omitted map keys that a client refuses.
    #[doc(hidden)]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        Protocol::ALL.iter().all(|it| self.arguments(*it).len() <= MAX_PLAIN_BYTES)
            && self.target.len() <= MAX_PLAIN_BYTES
            && !self.target.trim().is_empty()
            && !is_deeper_than(MAX_PLAIN_DEPTH, &self.json)
    }

    /// The message for clients with this protocol.
    #[must_use]
    pub fn message(&self, protocol: Protocol) -> Message {
        Message::Invocation {
            invocation_id: None,
            target: self.target.clone(),
            arguments: self.arguments(protocol).clone(),
            stream_ids: Vec::new(),
            trace: None,
        }
    }
}

/// Encodes arguments. A value that has no form in one of the protocols makes the send fail.
#[doc(hidden)]
#[derive(Debug)]
pub struct Arguments {
    json: Vec<u8>,
    failure: Option<Failure>,
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
            self.failure = write_json(&mut self.json, value).err().map(Into::into);
            #[cfg(feature = "msgpack")]
            if self.failure.is_none() {
                self.failure = self.message_pack.push(value).err().map(Into::into);
            }
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

/// Why an argument has no form in one of the protocols.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn finish(mut json: Vec<u8>, failure: Option<Failure>) -> Result<Bytes, SendError> {
    if let Some(error) = failure {
        return Err(SendError::Encode(error));
    }
    json.push(b']');
    Ok(json.into())
}

/// The same arguments in MessagePack.
#[cfg(feature = "msgpack")]
mod message_pack {
    use bytes::Bytes;
    use serde::Serialize;

    use crate::protocol::msgpack::{ValueError, Writer, write_value};

    #[derive(Debug, Default)]
    pub(super) struct Arguments {
        encoded: Vec<u8>,
        count: usize,
    }

    impl Arguments {
        pub(super) fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
            self.count += 1;
            write_value(&mut self.encoded, value)
        }

        pub(super) fn finish(self) -> Bytes {
            let mut out = Writer(Vec::with_capacity(self.encoded.len() + 5));
            out.array(self.count);
            out.raw(&self.encoded);
            out.0.into()
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
    message = "arguments are a tuple of serialisable values; write `(value,)` for one argument and `()` for none",
    label = "`{Self}` is not such a tuple"
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

        let encoded = payload.arguments(Protocol::MessagePack);
        assert_eq!(&encoded[..], b"\x93\xa4rust\x03\xc0");
        assert_eq!(&none.arguments(Protocol::MessagePack)[..], b"\x90");
    }

    #[test]
    fn a_plain_message_is_small_shallow_and_has_a_visible_name() {
        let is_plain = |event: &str, value: &serde_json::Value| {
            (value,).encode().into_payload(event).unwrap().is_plain()
        };
        let nested =
            |levels| (0..levels).fold(serde_json::json!(1), |it, _| serde_json::json!([it]));

        assert!(is_plain("m", &serde_json::json!({ "a": [1, "x"] })));
        assert!(is_plain("m", &serde_json::json!(vec![[1]; 100])));
        assert!(is_plain("m", &nested(MAX_PLAIN_DEPTH - 1)));
        assert!(!is_plain("m", &nested(MAX_PLAIN_DEPTH)));
        assert!(!is_plain(" ", &serde_json::json!(1)));
        assert!(is_plain("m", &"x".repeat(MAX_PLAIN_BYTES - 6).into()));
        assert!(!is_plain("m", &"x".repeat(MAX_PLAIN_BYTES - 3).into()));
    }

    #[test]
    fn an_event_that_changes_the_path_is_refused() {
        assert!(matches!(().encode().into_payload(".."), Err(SendError::Name(_))));
    }
}
