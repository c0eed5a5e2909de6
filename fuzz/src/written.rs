//! HTTP requests as text. The fuzzer can combine and change them:
//!
//! ```text
//! POST /path?query
//! name: value
//!
//! body
//! ```
//!
//! The target replaces placeholders in braces, such as `{token}`, because the fuzzer cannot guess their
//! values.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;

use crate::pieces::{between, first_line};

/// Returns the replacement of a placeholder, given the request parsed so far. `None` leaves the
/// placeholder unchanged.
pub(crate) type Make<'a> = dyn FnMut(&Request<Full<Bytes>>, &str) -> Option<String> + 'a;

/// The maximum number of requests. More requests would find nothing new.
const MOST: usize = 8;

/// Splits an input into requests, which are separated by `===` lines.
pub(crate) fn requests(data: &[u8]) -> Vec<&[u8]> {
    let mut requests = between(data, "===");
    requests.truncate(MOST);
    requests
}

/// Parses a request. Returns `None` if HTTP does not allow it.
pub(crate) fn request(text: &[u8], make: &mut Make<'_>) -> Option<Request<Full<Bytes>>> {
    let (line, mut rest) = first_line(text);
    let (method, target) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let mut request = Request::new(Full::default());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    let target = filled(target.as_bytes(), &mut |name| make(&request, name));
    *request.uri_mut() = Uri::try_from(&target[..]).ok()?;
    loop {
        let (line, after) = first_line(rest);
        rest = after;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = filled(line[colon + 1..].trim_ascii(), &mut |name| make(&request, name));
        let value = HeaderValue::from_bytes(&value).ok()?;
        request.headers_mut().append(name, value);
    }
    *request.body_mut() = Full::new(Bytes::copy_from_slice(rest));
    Some(request)
}

/// Replaces all known placeholders in the text.
fn filled(text: &[u8], make: &mut dyn FnMut(&str) -> Option<String>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        out.extend_from_slice(&rest[..open]);
        rest = &rest[open..];
        let close = rest.iter().position(|byte| *byte == b'}');
        let name = close.and_then(|close| std::str::from_utf8(&rest[1..close]).ok());
        match name.and_then(&mut *make) {
            Some(made) => {
                out.extend_from_slice(made.as_bytes());
                rest = &rest[close.map_or(1, |close| close + 1)..];
            }
            None => {
                out.push(b'{');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    out
}
