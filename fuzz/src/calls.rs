//! Frames of a connection with several upstream calls, as app and service read them. The result must not depend on the bytes
//! that have arrived after a frame, and a frame that is written again has the same bytes.

use hub_net::calls::{
    frame::{Call, Frame, first},
    fuzzing::headers,
};

/// The largest content that the reader accepts.
const LIMIT: usize = 1024;

/// The input is read twice: as frames, and as lines that are encoded as frames (see `framed`).
pub fn run(data: &[u8]) {
    read(data);
    read(&framed(data));
}

fn read(mut bytes: &[u8]) {
    let mut block: &[u8] = b"";
    loop {
        let found = first(bytes, LIMIT);
        let Ok(Some((frame, length))) = found else {
            // More bytes do not make an error a frame.
            let more = [bytes, &[0; 4][..]].concat();
            assert!(found.is_ok() || first(&more, LIMIT) == found, "more bytes change an error");
            return;
        };
        for part in (0..length).step_by(1 + length / 8) {
            assert_eq!(first(&bytes[..part], LIMIT), Ok(None), "a part of a frame is a frame");
        }
        assert_eq!(first(&bytes[..length], LIMIT), found, "later bytes change a frame");
        let mut written = Vec::new();
        frame.write(&mut written);
        if !matches!(frame, Frame::Stop | Frame::Ping | Frame::Pong) {
            assert_eq!(written, &bytes[..length], "a frame that is written again differs");
        }
        match frame {
            Frame::Lines { lines, .. } => block = lines,
            Frame::Call { call, .. } => check(block, call),
            _ => {}
        }
        bytes = &bytes[length..];
    }
}

/// The headers of a call are those of its lines and its block.
fn check(block: &[u8], call: Call<'_>) {
    let Some(all) = headers(block, call.lines) else { return };
    let own = headers(b"", call.lines).expect("the lines of a call are valid without its block");
    for (name, value) in &own {
        assert_eq!(all.get(name), Some(value), "a line of the call was replaced");
    }
    let shared =
        headers(block, b"").expect("the lines of a block are valid without those of a call");
    for name in shared.keys().filter(|name| !own.contains_key(*name)) {
        assert!(
            shared.get_all(name).iter().eq(all.get_all(name).iter()),
            "a line of the block has changed"
        );
    }
}

/// Encodes each line as a frame. The first byte of the line is the kind. In a call, the next two bytes are the lengths of target
/// and lines; `|` is a line break.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((kind, content)) = line.split_first() else { continue };
        let text: Vec<u8> = content
            .iter()
            .flat_map(|byte| if *byte == b'|' { b"\r\n".to_vec() } else { vec![*byte] })
            .collect();
        let kind = kind % 10;
        let content = match (kind, &text[..]) {
            (2, [target, lines, rest @ ..]) => {
                [&[0, 0, 0, target % 64, 0, lines % 64][..], rest].concat()
            }
            _ => text,
        };
        out.extend((content.len() as u32 + 5).to_be_bytes());
        out.push(kind);
        out.extend([0, 0, 0, 7]);
        out.extend(content);
    }
    out
}
