//! Recognizes plain requests (RFC 9112).

use std::{cell::RefCell, mem::MaybeUninit};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use httparse::{ParserConfig, Status};

use crate::connection::ServedBody;

/// hyper allows 100, and reads the requests with more than these.
const MAX_HEADERS: usize = 64;
/// Names up to this length are kept for the next request.
const MAX_KEPT_NAME: usize = 64;

thread_local! {
    /// The names of the last requests on this thread in their spelling, by position. Most requests have the names of the
    /// one before, and a name that is kept needs neither a look-up nor an allocation.
    static NAMES: RefCell<Vec<(Box<[u8]>, HeaderName)>> = const { RefCell::new(Vec::new()) };
}

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
/// the response to an invalid one. `headers` is an empty map, whose memory is used.
///
/// A request is plain if it is complete, is a `POST`, `PUT` or `DELETE` of HTTP/1.1, has at most one `content-length` and
/// no `transfer-encoding`, `expect` or `upgrade`.
pub(super) fn parse(bytes: &Bytes, mut headers: HeaderMap) -> Option<PlainRequest> {
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
    headers.reserve(head.headers.len());
    let (mut body_length, mut keeps_alive) = (None, true);
    for (position, line) in head.headers.iter().enumerate() {
        let name = name(position, line.name.as_bytes())?;
        match name {
            header::TRANSFER_ENCODING | header::EXPECT | header::UPGRADE => return None,
            header::CONTENT_LENGTH => {
                let declared = number(line.value)?;
                if body_length.replace(declared).is_some() {
                    return None;
                }
            }
            header::CONNECTION if !line.value.is_ascii() => return None,
            header::CONNECTION => keeps_alive &= !closes(line.value),
            _ => {}
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).ok()?;
        headers.append(name, value);
    }
    let length = head_length.checked_add(body_length.unwrap_or(0))?;
    let body = bytes.get(head_length..length)?;
    let mut request = Request::new(ServedBody::whole(bytes.slice_ref(body)));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    Some(PlainRequest { request, length, keeps_alive })
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

fn name(position: usize, text: &[u8]) -> Option<HeaderName> {
    NAMES.with_borrow_mut(|names| {
        let kept = names.get_mut(position);
        if let Some((spelling, name)) = &kept
            && **spelling == *text
        {
            return Some(name.clone());
        }
        let name = HeaderName::from_bytes(text).ok()?;
        if text.len() <= MAX_KEPT_NAME {
            let keep = (text.into(), name.clone());
            match kept {
                Some(kept) => *kept = keep,
                None => names.push(keep),
            }
        }
        Some(name)
    })
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
