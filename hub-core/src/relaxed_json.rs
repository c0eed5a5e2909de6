//! Converts JSON with comments and trailing commas, as .NET configuration files allow, to plain
//! JSON.

use std::borrow::Cow;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Replaces comments and trailing commas with spaces, which keeps line and column numbers.
#[must_use]
pub fn to_plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut bytes = text.as_bytes().to_vec();
    blank(&mut bytes, comment);
    blank(&mut bytes, trailing_comma);
    // Only complete characters were replaced, so the bytes are always valid UTF-8.
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Replaces unwanted text outside of strings with spaces. `unwanted` returns the length of the unwanted
/// text at the start of its argument, or 0.
fn blank(bytes: &mut [u8], unwanted: impl Fn(&[u8]) -> usize) {
    let mut at = 0;
    while let Some(rest @ [first, ..]) = bytes.get(at..) {
        if *first == b'"' {
            at += string(rest);
            continue;
        }
        let length = unwanted(rest);
        for byte in bytes.iter_mut().skip(at).take(length).filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
        at += length.max(1);
    }
}

fn comment(text: &[u8]) -> usize {
    match text {
        [b'/', b'/', ..] => text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len()),
        [b'/', b'*', inside @ ..] => {
            let end = inside.windows(2).position(|pair| pair == b"*/");
            end.map_or(text.len(), |end| end + 4)
        }
        _ => 0,
    }
}

fn trailing_comma(text: &[u8]) -> usize {
    let Some(after) = text.strip_prefix(b",") else { return 0 };
    let next = after.iter().find(|byte| !byte.is_ascii_whitespace());
    usize::from(matches!(next, Some(b']' | b'}')))
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
