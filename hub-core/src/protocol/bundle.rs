//! Bundles: one message in the encoding of each protocol. A bundle is a map from protocol names to framed
//! messages, and the `application/octet-stream` body of REST sends.

use bytes::Bytes;

use super::{
    Message, Protocol, ProtocolError,
    frame::Frames,
    msgpack::{Reader, Token, Writer},
};

/// The media type of a bundle.
pub const CONTENT_TYPE: &str = "application/octet-stream";

/// Encodes the entries in order. Each message must be encoded in its protocol.
#[must_use]
pub fn encode(entries: &[(Protocol, Message)]) -> Bytes {
    let mut out = Writer::default();
    out.map(entries.len());
    for (protocol, message) in entries {
        out.text(protocol.name());
        out.binary(&protocol.encode(message));
    }
    out.0.into()
}

/// Decodes the entries with a known protocol. Each entry contains one message.
///
/// # Errors
/// When the bundle is malformed, or an entry is not one framed message.
pub fn parse(bundle: &Bytes) -> Result<Vec<(Protocol, Message)>, ProtocolError> {
    let mut reader = Reader::new(bundle);
    let mut entries = Vec::new();
    for _ in 0..reader.map_length()? {
        let name = reader.text()?;
        let Token::Binary(framed) = reader.token()? else {
            return Err(ProtocolError::MessagePack("bytes were expected"));
        };
        if let Some(protocol) = Protocol::from_name(name) {
            entries.push((protocol, message(protocol, framed)?));
        }
    }
    if reader.len() > 0 {
        return Err(ProtocolError::MessagePack("bytes follow the map"));
    }
    Ok(entries)
}

fn message(protocol: Protocol, framed: &[u8]) -> Result<Message, ProtocolError> {
    let mut frames = Frames::new(framed.len());
    frames.switch_to(protocol);
    frames.push(&protocol.relayed(Bytes::copy_from_slice(framed)));
    let frame = frames.next_frame()?.ok_or(ProtocolError::Invalid(protocol.name()))?;
    match protocol.parse(&frame)? {
        Some(message) if frames.is_empty() => Ok(message),
        _ => Err(ProtocolError::Invalid(protocol.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented example: target `m`, no arguments.
    const EXAMPLE: &[u8] =
        b"\x82\xa4json\xc4\x27{\"type\":1,\"target\":\"m\",\"arguments\":[]}\x1e\
        \xabmessagepack\xc4\x09\x08\x96\x01\x80\xc0\xa1m\x90\x90";

    fn call(arguments: &'static [u8]) -> Message {
        Message::Invocation {
            invocation_id: None,
            target: "m".to_owned(),
            arguments: Bytes::from_static(arguments),
            stream_ids: Vec::new(),
            trace: None,
        }
    }

    fn entries() -> [(Protocol, Message); 2] {
        [(Protocol::Json, call(b"[]")), (Protocol::MessagePack, call(b"\x90"))]
    }

    #[test]
    fn the_documented_example_is_written_and_read() {
        assert_eq!(encode(&entries()), EXAMPLE);
        assert_eq!(parse(&Bytes::from_static(EXAMPLE)).unwrap(), entries());
    }

    #[test]
    fn unknown_protocols_are_skipped() {
        let bundle = b"\x82\xa1x\xc4\x01!\xabmessagepack\xc4\x09\x08\x96\x01\x80\xc0\xa1m\x90\x90";

        assert_eq!(parse(&Bytes::from_static(bundle)).unwrap(), entries()[1..]);
    }

    #[test]
    fn invalid_input_is_refused() {
        for bad in [
            &b""[..],
            b"\x90",
            b"\x81\xa4json",
            b"\x81\xa4json\xa1x",
            b"\x81\xa4json\xc4\x02{}",
            b"\x81\xa4json\xc4\x03{}\x1e",
            b"\x81\xa4json\xc4\x16{\"type\":6}\x1e{\"type\":6}\x1e",
            b"\x81\xabmessagepack\xc4\x02\x91\x06",
            b"\x81\xabmessagepack\xc4\x04\x02\x91\x06\x00",
            b"\x81\xabmessagepack\xc4\x03\x02\x91\x06\x00",
        ] {
            assert!(parse(&Bytes::copy_from_slice(bad)).is_err(), "{bad:x?}");
        }
    }
}
