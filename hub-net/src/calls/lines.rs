//! Header lines of calls.

use http::{HeaderMap, HeaderName, HeaderValue};

const MAX_HEADERS: usize = 100;

/// Why header lines are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header lines of a call are invalid")]
pub(super) struct InvalidLines;

/// The headers of a block.
pub(super) fn parse(lines: &[u8]) -> Result<HeaderMap, InvalidLines> {
    let mut headers = HeaderMap::new();
    for line in each(lines) {
        let (name, value) = line?;
        let name = HeaderName::from_bytes(name).map_err(|_| InvalidLines)?;
        if headers.len() >= MAX_HEADERS {
            return Err(InvalidLines);
        }
        headers.append(name, value);
    }
    Ok(headers)
}

/// Replaces headers by those of the lines.
pub(super) fn replace(headers: &mut HeaderMap, lines: &[u8]) -> Result<(), InvalidLines> {
    for line in each(lines) {
        let (name, value) = line?;
        // Most names are in the block, so they need no memory of their own.
        let text = str::from_utf8(name).map_err(|_| InvalidLines)?;
        if let Some(known) = headers.get_mut(text) {
            *known = value;
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(|_| InvalidLines)?;
        if headers.len() >= MAX_HEADERS {
            return Err(InvalidLines);
        }
        headers.insert(name, value);
    }
    Ok(())
}

fn each(mut lines: &[u8]) -> impl Iterator<Item = Result<(&[u8], HeaderValue), InvalidLines>> {
    std::iter::from_fn(move || {
        if lines.is_empty() {
            return None;
        }
        let line = split_line(lines).and_then(|(line, rest)| {
            lines = rest;
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at(colon);
            let value = HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?;
            Some((name, value))
        });
        if line.is_none() {
            lines = &[];
        }
        Some(line.ok_or(InvalidLines))
    })
}

fn split_line(lines: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = lines.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = (lines.get(..end)?, lines.get(end + 1..)?);
    Some((line.strip_suffix(b"\r")?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_headers_of_a_request() {
        let headers = parse("a: 1\r\nX-B:größe  \r\na: 2\r\nc:\r\n".as_bytes()).unwrap();

        assert_eq!(headers.len(), 4);
        assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers["x-b"].as_bytes(), "größe".as_bytes());
        assert_eq!(headers["c"], "");
        assert!(parse(b"").unwrap().is_empty());
    }

    #[test]
    fn other_lines_are_refused() {
        for lines in [
            &b"a"[..],
            b"a: 1",
            b"a: 1\n",
            b": 1\r\n",
            b"a b: 1\r\n",
            b"a: \x01\r\n",
            b"\r\n",
            b"a: 1\r\n b\r\n",
        ] {
            assert_eq!(parse(lines), Err(InvalidLines), "{lines:?}");
            assert_eq!(replace(&mut HeaderMap::new(), lines), Err(InvalidLines), "{lines:?}");
        }
        let many: String = (0..=MAX_HEADERS).map(|number| format!("a{number}: 1\r\n")).collect();
        assert_eq!(parse(many.as_bytes()), Err(InvalidLines));
        assert_eq!(replace(&mut HeaderMap::new(), many.as_bytes()), Err(InvalidLines));
    }

    #[test]
    fn a_line_of_a_call_replaces_that_of_its_block() {
        let mut headers = parse(b"event:\r\nid: \r\nhub: chat\r\n").unwrap();

        replace(&mut headers, b"event: send\r\nid: 7\r\ntrace: x\r\n").unwrap();

        let of = |name| headers.get(name).map(HeaderValue::as_bytes);
        assert_eq!(of("event"), Some(&b"send"[..]));
        assert_eq!(of("id"), Some(&b"7"[..]));
        assert_eq!((of("hub"), of("trace")), (Some(&b"chat"[..]), Some(&b"x"[..])));
        assert_eq!(headers.len(), 4);
    }
}
