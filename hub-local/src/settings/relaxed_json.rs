//! Converts JSON with comments and trailing commas, as .NET configuration files allow, to plain
//! JSON.

use std::borrow::Cow;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Replaces comments and trailing commas with spaces, which keeps line and column numbers.
pub(super) fn to_plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut bytes = text.as_bytes().to_vec();
    blank_comments(&mut bytes);
    blank_trailing_commas(&mut bytes);
    // Only complete characters were replaced, so this is always valid UTF-8.
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn blank_comments(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest {
            [b'"', ..] => string(rest),
            [b'/', b'/', ..] => {
                let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                blank(bytes, at, length);
                length
            }
            [b'/', b'*', inside @ ..] => {
                let end = inside.windows(2).position(|pair| pair == b"*/");
                let length = end.map_or(rest.len(), |end| end + 4);
                blank(bytes, at, length);
                length
            }
            _ => 1,
        };
        at += length;
    }
}

fn blank_trailing_commas(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest {
            [b'"', ..] => string(rest),
            [b',', after @ ..] => {
                let next = after.iter().find(|byte| !byte.is_ascii_whitespace());
                if matches!(next, Some(b']' | b'}')) {
                    blank(bytes, at, 1);
                }
                1
            }
            _ => 1,
        };
        at += length;
    }
}

/// Length of the string at the start of `bytes`, including its quotes.
fn string(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

fn blank(bytes: &mut [u8], at: usize, length: usize) {
    for byte in bytes.iter_mut().skip(at).take(length).filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_become_blanks() {
        assert_eq!(to_plain("{ // ü\n1 }"), "{      \n1 }");
        assert_eq!(to_plain("[1, /* a\nb */ 2 , ]"), "[1,     \n     2   ]");
        assert_eq!(to_plain("[1,]/*"), "[1 ]  ");
        assert_eq!(to_plain("\u{feff}{}"), "{}");
    }

    #[test]
    fn strings_stay_as_they_are() {
        let text = r#"{ "http://a/*b*/": "\"// ,]", "c": "," }"#;
        assert_eq!(to_plain(text), text);
        assert_eq!(to_plain("\"open // "), "\"open // ");
    }
}
