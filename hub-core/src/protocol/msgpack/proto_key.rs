//! Removal of map entries with the key `__proto__`. The official MessagePack client refuses a message with this
//! key and closes its connection (`@msgpack/msgpack`, `Decoder.ts`: "The key __proto__ is not allowed"). In JSON
//! the key is harmless, so any JSON client could cut the MessagePack clients off that receive its values.

use bytes::Bytes;

use super::{
    Writer,
    reader::{Reader, Token},
};
use crate::protocol::{MAX_DEPTH, Protocol, ProtocolError, frame::Frames};

pub(super) const KEY: &str = "__proto__";

/// Whether the bytes contain the key, in a map or elsewhere.
pub(super) fn is_mentioned(encoded: &[u8]) -> bool {
    let starts = encoded.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    starts.map(|(at, _)| at).any(|at| encoded[at..].starts_with(KEY.as_bytes()))
}

/// A value without the entries.
pub(super) fn without(value: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let mut out = Writer(Vec::with_capacity(value.len()));
    copy(&mut Reader::new(value), &mut out, 0)?;
    Ok(out.0)
}

fn copy(reader: &mut Reader<'_>, out: &mut Writer, depth: usize) -> Result<(), ProtocolError> {
    let mut ahead = *reader;
    match ahead.token()? {
        Token::Array(_) | Token::Map(_) if depth >= MAX_DEPTH => {
            return Err(ProtocolError::TooDeep { limit: MAX_DEPTH });
        }
        Token::Array(length) => {
            *reader = ahead;
            out.array(length as usize);
            for _ in 0..length {
                copy(reader, out, depth + 1)?;
            }
        }
        Token::Map(length) => {
            *reader = ahead;
            let mut entries = Writer::default();
            let mut kept = 0;
            for _ in 0..length {
                let key = reader.skip(depth + 1)?;
                if Reader::new(key).text().is_ok_and(|key| key == KEY) {
                    reader.skip(depth + 1)?;
                    continue;
                }
                entries.raw(key);
                copy(reader, &mut entries, depth + 1)?;
                kept += 1;
            }
            out.map(kept);
            out.raw(&entries.0);
        }
        _ => out.raw(reader.skip(depth)?),
    }
    Ok(())
}

/// Framed messages without the entries. Malformed messages stay as they are.
pub(in crate::protocol) fn without_in_frames(framed: Bytes) -> Bytes {
    if !is_mentioned(&framed) {
        return framed;
    }
    let mut frames = Frames::new(framed.len());
    frames.switch_to(Protocol::MessagePack);
    frames.push(&framed);
    let mut out = Vec::with_capacity(framed.len());
    while let Ok(Some(frame)) = frames.next_frame() {
        match without(&frame) {
            Ok(message) => out.extend_from_slice(&super::framed(&message)),
            Err(_) => return framed,
        }
    }
    if frames.is_empty() { out.into() } else { framed }
}
