//! The headers of an upstream call that the checks read, found in one pass over the map. A look-up would hash each
//! name once more.

use http::{HeaderMap, HeaderValue};

/// The lines of one header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines<'a> {
    first: Option<&'a HeaderValue>,
    is_repeated: bool,
}

impl<'a> Lines<'a> {
    fn add(&mut self, line: &'a HeaderValue) {
        self.is_repeated = self.first.is_some();
        self.first.get_or_insert(line);
    }

    /// The value as UTF-8 text; user ids and events need not be ASCII. `None` if the header occurs more than once:
    /// an intermediary may have checked another occurrence.
    pub(super) fn text(&self) -> Option<&'a str> {
        if self.is_repeated { None } else { self.first_text() }
    }

    /// The first line as UTF-8 text.
    pub(super) fn first_text(&self) -> Option<&'a str> {
        str::from_utf8(self.first?.as_bytes()).ok()
    }

    /// Whether the first line is this text.
    pub(super) fn is(&self, text: &str) -> bool {
        self.first.is_some_and(|line| line.as_bytes() == text.as_bytes())
    }

    /// Whether the header occurs.
    pub(super) fn exist(&self) -> bool {
        self.first.is_some()
    }

    /// The only line; `None` if the header occurs more than once or not at all.
    pub(super) fn only(&self) -> Option<&'a HeaderValue> {
        self.first.filter(|_| !self.is_repeated)
    }
}

/// The headers of one call, by the names in [`hub_core::upstream`].
#[derive(Debug)]
pub(super) struct HeaderLines<'a> {
    /// All headers.
    pub(super) map: &'a HeaderMap,
    pub(super) category: Lines<'a>,
    pub(super) client_query: Lines<'a>,
    pub(super) connection_id: Lines<'a>,
    pub(super) content_length: Lines<'a>,
    pub(super) content_type: Lines<'a>,
    pub(super) event: Lines<'a>,
    pub(super) hub: Lines<'a>,
    pub(super) request_id: Lines<'a>,
    pub(super) signature: Lines<'a>,
    pub(super) traceparent: Lines<'a>,
    pub(super) tracestate: Lines<'a>,
    pub(super) user_claims: Lines<'a>,
    pub(super) user_id: Lines<'a>,
}

impl<'a> HeaderLines<'a> {
    pub(super) fn of(map: &'a HeaderMap) -> Self {
        let none = Lines::default();
        let mut found = Self {
            map,
            category: none,
            client_query: none,
            connection_id: none,
            content_length: none,
            content_type: none,
            event: none,
            hub: none,
            request_id: none,
            signature: none,
            traceparent: none,
            tracestate: none,
            user_claims: none,
            user_id: none,
        };
        for (name, line) in map {
            let lines = match name.as_str() {
                "content-length" => &mut found.content_length,
                "content-type" => &mut found.content_type,
                "traceparent" => &mut found.traceparent,
                "tracestate" => &mut found.tracestate,
                "x-asrs-category" => &mut found.category,
                "x-asrs-client-query" => &mut found.client_query,
                "x-asrs-connection-id" => &mut found.connection_id,
                "x-asrs-event" => &mut found.event,
                "x-asrs-hub" => &mut found.hub,
                "x-asrs-signature" => &mut found.signature,
                "x-asrs-user-claims" => &mut found.user_claims,
                "x-asrs-user-id" => &mut found.user_id,
                "x-hub-request-id" => &mut found.request_id,
                _ => continue,
            };
            lines.add(line);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, header};
    use hub_core::upstream::{
        CATEGORY, CLIENT_QUERY, CONNECTION_ID, EVENT, HUB, REQUEST_ID, SIGNATURE, TRACEPARENT,
        TRACESTATE, USER_CLAIMS, USER_ID,
    };

    use super::*;

    type Field = for<'a> fn(&HeaderLines<'a>) -> Lines<'a>;

    const FIELDS: [(HeaderName, Field); 13] = [
        (header::CONTENT_LENGTH, |lines| lines.content_length),
        (header::CONTENT_TYPE, |lines| lines.content_type),
        (CATEGORY, |lines| lines.category),
        (CLIENT_QUERY, |lines| lines.client_query),
        (CONNECTION_ID, |lines| lines.connection_id),
        (EVENT, |lines| lines.event),
        (HUB, |lines| lines.hub),
        (REQUEST_ID, |lines| lines.request_id),
        (SIGNATURE, |lines| lines.signature),
        (TRACEPARENT, |lines| lines.traceparent),
        (TRACESTATE, |lines| lines.tracestate),
        (USER_CLAIMS, |lines| lines.user_claims),
        (USER_ID, |lines| lines.user_id),
    ];

    #[test]
    fn each_header_is_found_under_its_name() {
        let map =
            FIELDS.map(|(name, _)| (name.clone(), HeaderValue::from_str(name.as_str()).unwrap()));
        let map = HeaderMap::from_iter(map);

        let lines = HeaderLines::of(&map);

        for (name, field) in FIELDS {
            assert_eq!(field(&lines).text(), Some(name.as_str()));
            assert!(field(&lines).only().is_some() && field(&lines).exist());
        }
        let none = HeaderMap::new();
        for (name, field) in FIELDS {
            assert!(!field(&HeaderLines::of(&none)).exist(), "{name}");
        }
    }

    #[test]
    fn a_repeated_header_has_no_text() {
        for (name, field) in FIELDS {
            let twice =
                ["first", "second"].map(|line| (name.clone(), HeaderValue::from_static(line)));
            let mut map = HeaderMap::new();
            twice.into_iter().for_each(|(name, line)| {
                map.append(name, line);
            });

            let lines = field(&HeaderLines::of(&map));

            assert_eq!((lines.text(), lines.only()), (None, None), "{name}");
            assert_eq!(lines.first_text(), Some("first"), "{name}");
        }
    }

    #[test]
    fn values_may_be_utf_8() {
        let event = HeaderValue::from_bytes("grüße".as_bytes()).unwrap();
        let map = HeaderMap::from_iter([(EVENT, event)]);

        assert_eq!(HeaderLines::of(&map).event.text(), Some("grüße"));
        let broken = HeaderMap::from_iter([(EVENT, HeaderValue::from_bytes(b"\xF6").unwrap())]);
        assert_eq!(HeaderLines::of(&broken).event.text(), None);
    }
}
