//! Encoder for masked WebSocket frames (RFC 6455 §5.3).

/// Appends one frame. `first` is the byte with FIN and opcode.
pub(crate) fn masked(out: &mut Vec<u8>, first: u8, mask: u32, payload: &[u8]) {
    out.push(first);
    match payload.len() {
        length @ 0..126 => out.push(0x80 | u8::try_from(length).unwrap_or_default()),
        length @ 126..65536 => {
            out.push(0x80 | 126);
            out.extend(u16::try_from(length).unwrap_or_default().to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(mask.to_be_bytes());
    let begin = out.len();
    out.extend_from_slice(payload);
    let wide = (u64::from(mask) << 32 | u64::from(mask)).to_be_bytes();
    let mut chunks = out.get_mut(begin..).unwrap_or_default().chunks_exact_mut(wide.len());
    for chunk in &mut chunks {
        chunk.iter_mut().zip(wide).for_each(|(byte, mask)| *byte ^= mask);
    }
    chunks.into_remainder().iter_mut().zip(wide).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masked_hello_of_rfc_6455_is_written() {
        let mut out = Vec::new();

        masked(&mut out, 0x81, 0x37FA_213D, b"Hello");

        let hello = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
        assert_eq!(out, hello);
    }

    #[test]
    fn every_length_is_masked_whole() {
        for length in [0, 7, 8, 9, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|number: usize| number as u8).collect();
            let mut out = Vec::new();
            masked(&mut out, 0x82, 0x0102_0304, &payload);

            let header = out.len() - length;
            let unmasked = out[header..].iter().zip([1, 2, 3, 4].iter().cycle());
            assert!(unmasked.map(|(byte, mask)| byte ^ mask).eq(payload), "{length}");
            assert_eq!(
                header,
                6 + if length < 126 {
                    0
                } else if length < 65_536 {
                    2
                } else {
                    8
                }
            );
        }
    }
}
