//! WebSocket frames. The result must not depend on the pieces in which the bytes arrive, and must equal the
//! result of a simple reader that waits for whole frames.

use bytes::Bytes;
use hub_local::fuzzing::{WebSocketEvent as Event, WebSocketReader};

use crate::pieces::cut;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The first byte, modulo 4, is the number of following bytes that define the lengths of the pieces. The
/// rest is read twice: as frames, and as lines that are encoded as frames (see `masked`).
pub fn run(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else { return };
    let Some((pattern, bytes)) = rest.split_at_checked(usize::from(*count % 4)) else { return };
    same(bytes, pattern);
    same(&masked(bytes), pattern);
}

fn same(bytes: &[u8], pattern: &[u8]) {
    let whole = read(std::iter::once(bytes));
    let pieces = read(cut(bytes, pattern));
    let byte_by_byte = read(bytes.chunks(1));
    assert_eq!(settled(&pieces), settled(&byte_by_byte), "splitting the bytes changes the frames");
    // If invalid text arrives in one piece, the reader rejects it before it returns any payload.
    assert_eq!(others(&whole), others(&byte_by_byte), "splitting the bytes changes the events");
    let (whole, single) = (data(&whole), data(&byte_by_byte));
    assert!(single.starts_with(&whole), "splitting the bytes changes the payload");
    let violations = byte_by_byte.iter().filter(|it| matches!(it, Event::Violation(_))).count();
    assert!(violations <= 1, "a violation is reported more than once");
    if violations == 0 {
        assert_eq!(whole, single);
        assert_eq!(
            reference(bytes),
            (whole, others(&byte_by_byte)),
            "the result differs from the simple reader"
        );
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut reader = WebSocketReader::default();
    pieces.flat_map(|piece| reader.read(piece)).collect()
}

/// Joins adjacent payload events. Drops the payload directly before a violation.
fn settled(events: &[Event]) -> Vec<Event> {
    let mut joined: Vec<Event> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(Event::Data(held)), Event::Data(more)) => {
                *held = [&held[..], more].concat().into();
            }
            (last, violation @ Event::Violation(_)) => {
                if matches!(last, Some(Event::Data(_))) {
                    joined.pop();
                }
                joined.push(violation.clone());
            }
            (_, event) => joined.push(event.clone()),
        }
    }
    joined
}

fn others(events: &[Event]) -> Vec<Event> {
    events.iter().filter(|event| !matches!(event, Event::Data(_))).cloned().collect()
}

fn data(events: &[Event]) -> Vec<u8> {
    let payload = |event: &Event| match event {
        Event::Data(payload) => payload.to_vec(),
        _ => Vec::new(),
    };
    events.iter().flat_map(payload).collect()
}

/// A simple reader for valid frames: it checks nothing and reads one frame at a time. The last data
/// frame may be incomplete. Returns the payload and the other events.
fn reference(mut bytes: &[u8]) -> (Vec<u8>, Vec<Event>) {
    let (mut data, mut others) = (Vec::new(), Vec::new());
    while let [first, second, rest @ ..] = bytes {
        let extended = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((length, rest)) = rest.split_at_checked(extended) else { break };
        let length = match length {
            [] => u64::from(second & 0x7F),
            length => length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let Some((mask, rest)) = rest.split_at_checked(4) else { break };
        let there = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        let whole = there as u64 == length;
        let (payload, rest) = rest.split_at(there);
        let plain: Vec<u8> =
            payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        match first & 0x0F {
            0..=2 => data.extend(plain),
            8 if whole => others.push(Event::Close),
            9 if whole => others.push(Event::Ping(Bytes::from(plain))),
            _ => {}
        }
        bytes = rest;
    }
    (data, others)
}

/// Encodes each line as a frame. The first byte of the line is the first byte of the frame. The rest of
/// the line is the payload. Frames are masked and use the shortest form of the length.
fn masked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((first, payload)) = line.split_first() else { continue };
        out.push(*first);
        match payload.len() {
            length @ 0..126 => out.push(0x80 | length as u8),
            length => {
                out.push(0x80 | 126);
                out.extend((length as u16).to_be_bytes());
            }
        }
        out.extend(MASK);
        out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
    out
}
