//! Writes responses with a body of a known length (RFC 9112).

use std::io::Write as _;

use http::{HeaderName, HeaderValue, Response, StatusCode, Version, header, response::Parts};
use http_body::Body;

use super::date;

/// Longer bodies are passed to hyper, which does not copy them.
const MAX_BODY_BYTES: u64 = 16 * 1024;

/// The length of the body, if [`write_head`] can write the head. `None` for responses that hyper writes: streams, long
/// bodies, and those whose headers concern the connection.
pub(super) fn plain_length<B: Body>(response: &Response<B>) -> Option<usize> {
    let length = response.body().size_hint().exact().filter(|length| *length <= MAX_BODY_BYTES)?;
    let status = response.status();
    let has_body = length > 0 && status == StatusCode::NO_CONTENT;
    let is_other = status.is_informational() || status == StatusCode::NOT_MODIFIED || has_body;
    let is_ordinary = |(name, value): (&HeaderName, &HeaderValue)| match *name {
        // The offer of a protocol does not end the connection (RFC 9110 §7.8).
        header::CONNECTION => value.as_bytes().eq_ignore_ascii_case(b"upgrade"),
        header::TRAILER | header::TRANSFER_ENCODING => false,
        header::CONTENT_LENGTH => value.as_bytes() == length.to_string().as_bytes(),
        _ => true,
    };
    let has_reason = response.extensions().get::<hyper::ext::ReasonPhrase>().is_some();
    if is_other || has_reason || response.version() != Version::HTTP_11 {
        return None;
    }
    response.headers().iter().all(is_ordinary).then_some(usize::try_from(length).ok()?)
}

/// Writes the head of a response with a body of `length` bytes. The connection is closed after the last one.
pub(super) fn write_head(out: &mut Vec<u8>, head: &Parts, length: usize, is_last: bool) {
    if head.status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        let reason = head.status.canonical_reason().unwrap_or("<none>");
        line(out, &[b"HTTP/1.1 ", head.status.as_str().as_bytes(), b" ", reason.as_bytes()]);
    }
    let mut has_date = false;
    for (name, value) in &head.headers {
        has_date |= name == header::DATE;
        if name != header::CONTENT_LENGTH {
            line(out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]);
        }
    }
    // A response without content has no length (RFC 9110 §8.6).
    if head.status != StatusCode::NO_CONTENT {
        out.extend_from_slice(b"content-length: ");
        // Writing to memory does not fail.
        let _ = write!(out, "{length}\r\n");
    }
    if is_last {
        line(out, &[b"connection: close"]);
    }
    if !has_date {
        out.extend_from_slice(b"date: ");
        date::write(out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}
