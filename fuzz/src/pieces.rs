//! Splits inputs into pieces.

/// The maximum number of pieces. More pieces would find nothing new.
const MOST: usize = 32;

/// Splits bytes into pieces. Their lengths are the bytes of `pattern` except zeros, in a cycle.
pub(crate) fn cut<'a>(bytes: &'a [u8], pattern: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths =
        pattern.iter().map(|length| usize::from(*length)).filter(|it| *it > 0).cycle();
    let (mut rest, mut pieces) = (bytes, 0);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        pieces += 1;
        let length = lengths.next().filter(|_| pieces < MOST).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        Some(piece)
    })
}

/// Returns the first line and the bytes after it.
pub(crate) fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

/// Returns the parts between separator lines that equal `line`.
pub(crate) fn between<'a>(bytes: &'a [u8], line: &str) -> Vec<&'a [u8]> {
    let separator = format!("\n{line}\n").into_bytes();
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(separator.len()).position(|it| it == separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

/// Whether the bytes contain this text.
pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    !text.is_empty() && bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Changes the text at one position. Returns `None` if the result is the same text. The first byte of
/// `change` selects the position. If the second byte is above 127, that number minus 127 bytes are removed.
/// Otherwise, the second byte replaces the byte at the position, or is inserted there if `change` has a
/// third byte.
pub(crate) fn changed(text: &str, change: &[u8]) -> Option<String> {
    let [place, how @ ..] = change else { return None };
    let at = usize::from(*place) * text.len() / 256;
    let mut bytes = text.as_bytes().to_vec();
    match how {
        [count @ 128..=255, ..] => {
            let end = (at + usize::from(*count) - 127).min(bytes.len());
            bytes.drain(at..end);
        }
        [byte] => *bytes.get_mut(at)? = *byte,
        [byte, ..] => bytes.insert(at, *byte),
        [] => return None,
    }
    String::from_utf8(bytes).ok().filter(|changed| changed != text)
}
