//! Recognizes plain requests (RFC 9112).

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use httparse::{Header, ParserConfig, Status};

use super::names::{self, MAX_HEADERS};
use crate::connection::ServedBody;

/// A request that has arrived as a whole.
#[derive(Debug)]
pub(super) struct PlainRequest {
    pub(super) request: Request<ServedBody>,
    /// Its bytes on the connection.
    pub(super) length: usize,
    /// Whether the client sends further requests.
    pub(super) keeps_alive: bool,
}

/// Reads the first request of these bytes. `None` if it is not plain: then hyper reads it from its first byte, and gives
/// the response to an invalid one.
///
/// A request is plain if it is complete, is a `POST`, `PUT` or `DELETE` of HTTP/1.1, has at most 64 headers, of which at most
/// one is `content-length` and none is `transfer-encoding`, `expect` or `upgrade`.
pub(super) fn parse(bytes: &Bytes) -> Option<PlainRequest> {
    // Most requests that are not plain are told by their first bytes.
    let method = method(bytes)?;
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut []);
    let parsed =
        ParserConfig::default().parse_request_with_uninit_headers(&mut head, bytes, &mut lines);
    let Ok(Status::Complete(head_length)) = parsed else { return None };
    if head.version != Some(1) {
        return None;
    }
    let uri = Uri::from_maybe_shared(bytes.slice_ref(head.path?.as_bytes())).ok()?;
    let mut framing = Framing { body_length: None, keeps_alive: true };
    let headers = headers(bytes, head.headers, &mut framing)?;
    let length = head_length.checked_add(framing.body_length.unwrap_or(0))?;
    let body = bytes.get(head_length..length)?;
    let mut request = Request::new(ServedBody::whole(bytes.slice_ref(body)));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    Some(PlainRequest { request, length, keeps_alive: framing.keeps_alive })
}

/// What the headers of a request have about its end and that of the connection.
struct Framing {
    body_length: Option<usize>,
    keeps_alive: bool,
}

impl Framing {
    /// Reads a header. `None` if the request is not plain.
    fn read(&mut self, name: &HeaderName, value: &[u8]) -> Option<()> {
        match *name {
            header::TRANSFER_ENCODING | header::EXPECT | header::UPGRADE => return None,
            header::CONTENT_LENGTH if self.body_length.is_some() => return None,
            header::CONTENT_LENGTH => self.body_length = Some(number(value)?),
            header::CONNECTION if !value.is_ascii() => return None,
            header::CONNECTION => self.keeps_alive &= !closes(value),
            _ => {}
        }
        Some(())
    }
}

fn headers(bytes: &Bytes, lines: &[Header<'_>], framing: &mut Framing) -> Option<HeaderMap> {
    let value_of =
        |line: &Header<'_>| HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).ok();
    if let Some(mut headers) = names::map(lines.iter().map(|line| line.name.as_bytes())) {
        for (name, value) in &mut headers {
            let line = lines.get(names::position(value)?)?;
            framing.read(name, line.value)?;
            *value = value_of(line)?;
        }
        return Some(headers);
    }
    let mut headers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        framing.read(&name, line.value)?;
        headers.append(name, value_of(line)?);
    }
    Some(headers)
}

/// The method of the first line.
fn method(bytes: &[u8]) -> Option<Method> {
    match bytes {
        [b'P', b'O', b'S', b'T', b' ', ..] => Some(Method::POST),
        [b'P', b'U', b'T', b' ', ..] => Some(Method::PUT),
        [b'D', b'E', b'L', b'E', b'T', b'E', b' ', ..] => Some(Method::DELETE),
        _ => None,
    }
}

/// `1*DIGIT` (RFC 9110 §8.6).
fn number(digits: &[u8]) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if is_number { str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// Whether one of the items is `close` (RFC 9112 §9.6).
fn closes(connection: &[u8]) -> bool {
    let mut items = connection.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    items.any(|item| item.eq_ignore_ascii_case(b"close"))
}
