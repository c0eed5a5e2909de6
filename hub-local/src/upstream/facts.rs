//! What all upstream calls of a connection have in common.

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

use http::{HeaderMap, HeaderValue};
use hub_core::{
    ConnectionHeaders, Secret, signature,
    upstream::{CLIENT_QUERY, CONNECTION_ID, HUB, SIGNATURE, USER_CLAIMS, USER_ID},
};

use crate::{auth::identity::Identity, query::Query, random};

/// What all upstream calls of a connection have in common. An idle client has no headers: they are made for each
/// call that needs them.
pub struct ConnectionFacts {
    id: Arc<str>,
    hub: Arc<str>,
    user: Option<Arc<str>>,
    claims: Option<Arc<str>>,
    /// Without the `?` and the access token.
    query: Box<str>,
    /// The keys that sign the id.
    keys: Arc<[Secret]>,
    derived: OnceLock<Derived>,
}

// Omits claims and query, which may contain credentials.
impl fmt::Debug for ConnectionFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionFacts({})", self.id)
    }
}

/// What the upstream derived from the facts.
struct Derived {
    value: Arc<dyn Any + Send + Sync>,
    /// The memory that it uses.
    bytes: usize,
}

impl ConnectionFacts {
    /// `None` if hub, user or query contain characters that a header cannot contain.
    pub(crate) fn new(
        id: String,
        hub: Arc<str>,
        identity: &Identity,
        query: Query<'_>,
        keys: Arc<[Secret]>,
    ) -> Option<Self> {
        let query = query.without("access_token");
        let texts = [&*hub, identity.user.as_deref().unwrap_or_default(), &query];
        let is_valid = texts.into_iter().all(fits_in_a_header);
        let (user, claims) = (identity.user.clone(), identity.claims.clone());
        let (id, query, derived) = (id.into(), query.into(), OnceLock::new());
        is_valid.then_some(Self { id, hub, user, claims, query, keys, derived })
    }

    /// The same facts with other claims. The upstream derives its value again.
    pub(crate) fn with_claims(&self, claims: Option<Arc<str>>) -> Self {
        Self {
            id: Arc::clone(&self.id),
            hub: Arc::clone(&self.hub),
            user: self.user.clone(),
            claims,
            query: self.query.clone(),
            keys: Arc::clone(&self.keys),
            derived: OnceLock::new(),
        }
    }

    /// The id of the connection.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The hub, in lower case.
    #[must_use]
    pub fn hub(&self) -> &str {
        &self.hub
    }

    /// The user; `None` for an anonymous client.
    #[must_use]
    pub fn user(&self) -> Option<&Arc<str>> {
        self.user.as_ref()
    }

    /// The claims of the client's token, as in [`USER_CLAIMS`].
    #[must_use]
    pub fn claims(&self) -> Option<&str> {
        self.claims.as_deref()
    }

    /// Like [`Self::claims`], for a value that outlives the connection.
    pub(crate) fn shared_claims(&self) -> Option<Arc<str>> {
        self.claims.clone()
    }

    /// The query of the client's connect request, without its `?` and its access token.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The value that the upstream stored, if it has this type.
    #[must_use]
    pub fn derived<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.derived.get()?.value).downcast().ok()
    }

    /// Stores a value until the connection ends, unless there is one, with the memory in bytes that it uses.
    pub fn derive_with<T: Send + Sync + 'static>(&self, value: impl FnOnce() -> (Arc<T>, usize)) {
        self.derived.get_or_init(|| {
            let (value, bytes) = value();
            Derived { value, bytes }
        });
    }

    /// Headers that prove that the service knows the access keys: a fresh random id, and its signatures, as a call has them.
    pub(crate) fn proof(&self) -> HeaderMap {
        let id = random::Id::random().text();
        let signatures = self.signatures(&id);
        let valid = |text: &str| HeaderValue::from_str(text).ok();
        let values = [(CONNECTION_ID, valid(&id)), (SIGNATURE, valid(&signatures))];
        values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn signatures(&self, id: &str) -> String {
        let signatures: Vec<_> = self.keys.iter().map(|key| signature::sign(key, id)).collect();
        signatures.join(",")
    }

    /// The memory that the facts use.
    pub(crate) fn size(&self) -> usize {
        let optional = [&self.user, &self.claims].into_iter().flatten().map(|text| text.len());
        let texts = self.id.len() + self.query.len() + optional.sum::<usize>();
        size_of::<Self>() + texts + self.derived.get().map_or(0, |derived| derived.bytes)
    }
}

impl ConnectionHeaders for ConnectionFacts {
    fn headers(&self) -> HeaderMap {
        let signatures = self.signatures(&self.id);
        let query = (!self.query.is_empty()).then(|| format!("?{}", self.query));
        let values = [
            (CONNECTION_ID, Some(&*self.id)),
            (HUB, Some(&*self.hub)),
            (SIGNATURE, Some(&*signatures)),
            (USER_ID, self.user.as_deref()),
            (USER_CLAIMS, self.claims.as_deref()),
            (CLIENT_QUERY, query.as_deref()),
        ];
        // `new` has checked the values, and `Identity` the claims.
        let valid = |text: &str| HeaderValue::from_bytes(text.as_bytes()).ok();
        let mut headers = HeaderMap::with_capacity(2 * values.len());
        headers.extend(values.into_iter().filter_map(|(name, it)| Some((name, valid(it?)?))));
        headers
    }
}

/// Whether each byte is valid in the value of a header (RFC 9110 §5.5).
pub(crate) fn fits_in_a_header(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control())
}

/// The memory that headers use.
pub(super) fn size_of_headers(headers: &HeaderMap) -> usize {
    headers.iter().map(|(_, value)| value.len() + size_of::<[usize; 12]>()).sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::auth::token_options::TokenOptions;

    pub(crate) fn facts(user: Option<&str>, query: &str) -> Arc<ConnectionFacts> {
        let keys = [
            Secret::from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"),
            Secret::from("secondary-key-for-tests-000000000000000000"),
        ];
        let user = user.map(Arc::from);
        let identity = Identity { user, claims: None, token_options: TokenOptions::default() };
        let (id, query) = ("conn-0001".to_owned(), Query::new(Some(query)));
        Arc::new(ConnectionFacts::new(id, "chat".into(), &identity, query, keys.into()).unwrap())
    }

    #[test]
    fn each_key_makes_one_signature() {
        let headers = facts(None, "").headers();

        assert_eq!(
            headers[SIGNATURE],
            "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1,\
             sha256=04BE5150C28567D5F39FE8B326F43F49220DAED6EFFB73097C14EBEF24EE7097"
        );
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn the_query_keeps_its_question_mark_and_loses_the_token() {
        let headers = facts(Some("Zoë"), "hub=chat&access_token=secret&id=x").headers();

        assert_eq!(headers[CLIENT_QUERY], "?hub=chat&id=x");
        assert_eq!(headers[USER_ID].as_bytes(), "Zoë".as_bytes());
    }

    #[test]
    fn characters_that_a_header_cannot_contain_are_those_that_http_refuses() {
        for byte in 0..=u8::MAX {
            let text = char::from(byte).to_string();
            let is_valid = HeaderValue::from_bytes(text.as_bytes()).is_ok();
            assert_eq!(fits_in_a_header(&text), is_valid, "{byte}");
        }
    }

    #[test]
    fn the_size_includes_what_the_upstream_derived() {
        let facts = facts(Some("ada"), "a=b");
        let before = facts.size();
        assert_eq!(before, size_of::<ConnectionFacts>() + "conn-0001adaa=b".len());

        facts.derive_with(|| (Arc::new(5), 1000));
        facts.derive_with(|| (Arc::new(6), 2000));

        assert_eq!(facts.size(), before + 1000);
        assert_eq!(facts.derived::<i32>().as_deref(), Some(&5));
    }
}
