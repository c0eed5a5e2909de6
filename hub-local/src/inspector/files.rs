//! The files of the page.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS},
};

use super::guard::{self, Place};
use crate::body::{self, Body};

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
/// The end of the names of compressed files, which are not part of their names in URLs.
const COMPRESSED: &str = ".gz";

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    content_type: &'static str,
    content: &'static [u8],
    is_compressed: bool,
}

macro_rules! files {
    ($($content_type:ident { $($name:literal)* })*) => {
        /// The files of the folder `inspector`, with their names.
        const FILES: &[(&str, File)] = &[
            $($(($name, File {
                content_type: $content_type,
                content: include_bytes!(concat!("../../inspector/", $name)),
                is_compressed: is_compressed($name),
            }),)*)*
        ];
    };
}

files! {
    CSS { "style.css" }
    HTML { "index.html" }
    JS {
        "act.js" "api.js" "app.js" "curl.js" "detail.js" "dom.js" "filter.js" "form.js" "hubs.js" "list.js" "live.js"
        "payload.js" "stations.js" "steps.js" "store.js" "summary.js" "tables.js" "tester.js" "words.js" "world.js"
        "signalr.min.js.gz" "signalr-protocol-msgpack.min.js.gz"
    }
    SVG { "icon.svg" }
}

const fn is_compressed(name: &str) -> bool {
    matches!(name.as_bytes(), [.., b'.', b'g', b'z'])
}

/// The file with this name. The empty name is that of the page.
pub(super) fn find(name: &str) -> Option<File> {
    let name = if name.is_empty() { "index.html" } else { name };
    let is_named = |file: &str| file.strip_suffix(COMPRESSED).unwrap_or(file) == name;
    FILES.iter().find(|(file, _)| is_named(file)).map(|(_, file)| *file)
}

impl File {
    pub(super) fn response(self, place: &Place<'_>) -> Response<Body> {
        let mut response = body::text(StatusCode::OK, Bytes::from_static(self.content));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if self.is_compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        guard::harden(headers);
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        let opener = HeaderName::from_static("cross-origin-opener-policy");
        headers.insert(opener, HeaderValue::from_static("same-origin"));
        if let Ok(policy) = HeaderValue::from_str(&policy(place)) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// Only files of the service run and are loaded. WebSockets of the test client are named, because not all browsers count
/// them to `'self'`.
fn policy(place: &Place<'_>) -> String {
    let host = place.authority;
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws://{host} wss://{host}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("inspector");
        let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap());
        let is_page = |name: &String| {
            !name.starts_with('.') && !name.ends_with(".version") && !name.ends_with(".LICENSE.txt")
        };

        let page: BTreeSet<_> = names.filter(is_page).collect();

        let served: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(served, page);
    }

    #[test]
    fn the_page_is_found_without_a_name_and_compressed_files_without_their_end() {
        assert!(find("").is_some() && find("index.html").is_some() && find("style.css").is_some());
        assert!(find("signalr.min.js").unwrap().is_compressed);
        for other in ["signalr.version", "state", "../Cargo.toml", "index.html/"] {
            assert!(find(other).is_none(), "{other}");
        }
    }
}
