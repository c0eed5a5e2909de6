//! Encodes requests.

use bytes::Bytes;
use http::{
    HeaderMap, Method, Uri,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};

/// A body up to this size is copied behind the head: that costs less than a second slice.
const MAX_COPIED_BYTES: usize = 4 * 1024;
/// Room for the fixed parts of a head.
const FIXED_BYTES: usize = 100;

/// A request as it is written.
#[derive(Debug)]
pub(super) struct Encoded {
    /// The head, and a short body.
    head: Vec<u8>,
    body: Bytes,
}

/// A request without its host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    /// Further header lines, each with its line break.
    pub(super) lines: &'a [&'a [u8]],
    pub(super) body: &'a Bytes,
}

impl Plain<'_> {
    /// Encodes the request. `host` is the header line with the host of the URI.
    pub(super) fn encode(self, host: &str) -> Encoded {
        let Self { method, uri, headers, lines, body } = self;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let mut size = FIXED_BYTES + target.len() + host.len();
        size += lines.iter().map(|lines| lines.len()).sum::<usize>();
        size += headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum::<usize>();
        let copied = if body.len() > MAX_COPIED_BYTES { &[] } else { &body[..] };
        let mut head = Vec::with_capacity(size + copied.len());
        // The target of a URL without a path may begin with its query (RFC 9112 §3.2.1).
        let root = if target.starts_with('?') { "/" } else { "" };
        for part in [method.as_str(), " ", root, target, " HTTP/1.1\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        if !headers.contains_key(HOST) {
            head.extend_from_slice(host.as_bytes());
        }
        for lines in lines {
            head.extend_from_slice(lines);
        }
        // The length of the body is known.
        for (name, value) in headers.iter().filter(|(name, _)| !is_framing(name)) {
            push_line(&mut head, name.as_str(), value.as_bytes());
        }
        // RFC 9110 §8.6.
        let expects_body = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        if expects_body || !body.is_empty() {
            push_line(&mut head, CONTENT_LENGTH.as_str(), body.len().to_string().as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(copied);
        let body = if copied.len() == body.len() { Bytes::new() } else { body.clone() };
        Encoded { head, body }
    }
}

impl Encoded {
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// The bytes after the first `written` bytes.
    pub(super) fn parts(&self, written: usize) -> (&[u8], &[u8]) {
        match self.head.get(written..) {
            Some(head) => (head, &self.body),
            None => (&[], self.body.get(written - self.head.len()..).unwrap_or_default()),
        }
    }
}

fn is_framing(name: &http::HeaderName) -> bool {
    name == CONTENT_LENGTH || name == TRANSFER_ENCODING
}

/// Appends a header line. Name and value must be valid.
fn push_line(lines: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        lines.extend_from_slice(part);
    }
}

/// The lines of headers, each with its line break, for [`HttpClient::post`](super::HttpClient::post).
#[must_use]
pub fn lines(headers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        push_line(&mut lines, name.as_str(), value.as_bytes());
    }
    lines
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn encoded(
        method: &Method,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> String {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let (headers, body) = (headers.collect(), Bytes::from_static(body.as_bytes()));
        let uri = Uri::from_static("http://a:1/b?c");
        let plain = Plain {
            method,
            uri: &uri,
            headers: &headers,
            lines: &[b"x: 1\r\n", b"y: 2\r\n"],
            body: &body,
        };
        let encoded = plain.encode("host: a:1\r\n");
        let (head, body) = encoded.parts(0);
        format!("{}{}", str::from_utf8(head).unwrap(), str::from_utf8(body).unwrap())
    }

    #[test]
    fn a_request_has_its_host_and_the_length_of_its_body() {
        assert_eq!(
            encoded(&Method::POST, &[("z", "3")], "body"),
            "POST /b?c HTTP/1.1\r\nhost: a:1\r\nx: 1\r\ny: 2\r\nz: 3\r\ncontent-length: 4\r\n\r\nbody"
        );
        for (method, has_length) in [
            (Method::POST, true),
            (Method::PUT, true),
            (Method::GET, false),
            (Method::DELETE, false),
        ] {
            assert_eq!(
                encoded(&method, &[], "").contains("content-length: 0\r\n"),
                has_length,
                "{method}"
            );
        }
        assert!(encoded(&Method::DELETE, &[], "b").ends_with("content-length: 1\r\n\r\nb"));
    }

    #[test]
    fn the_target_of_a_url_without_a_path_begins_with_a_slash() {
        for (url, target) in [
            ("http://a", "/"),
            ("http://a?b", "/?b"),
            ("http://a/?b", "/?b"),
            ("http://a/b?c?", "/b?c?"),
        ] {
            let (headers, body) = (HeaderMap::new(), Bytes::new());
            let (method, uri) = (&Method::GET, &Uri::from_static(url));
            let plain = Plain { method, uri, headers: &headers, lines: &[], body: &body };

            let encoded = plain.encode("");

            let line = format!("GET {target} HTTP/1.1\r\n\r\n");
            assert_eq!(encoded.parts(0).0, line.as_bytes(), "{url}");
        }
    }

    #[test]
    fn a_header_replaces_the_host_and_none_replaces_the_length() {
        let headers = [("content-length", "9"), ("transfer-encoding", "chunked"), ("host", "b")];

        assert_eq!(
            encoded(&Method::GET, &headers, "body"),
            "GET /b?c HTTP/1.1\r\nx: 1\r\ny: 2\r\nhost: b\r\ncontent-length: 4\r\n\r\nbody"
        );
    }

    #[test]
    fn the_parts_of_a_request_are_its_bytes_after_each_write() {
        let body = Bytes::from(vec![b'x'; MAX_COPIED_BYTES + 1]);
        let encoded = Encoded { head: b"head".to_vec(), body };

        for written in 0..=encoded.len() {
            let (head, body) = encoded.parts(written);
            assert_eq!(head.len() + body.len(), encoded.len() - written);
            assert_eq!(head.len(), 4_usize.saturating_sub(written));
        }
    }
}
