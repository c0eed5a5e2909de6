//! One upstream call, before it is typed.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;

use crate::{cancellation::Cancellation, hub::Category, hub::Hub, protocol::Protocol};

/// One call of the service into the app: who calls, what, and with which raw arguments.
///
/// Filters and extractors see the call in this form, whatever the hub.
pub struct Invocation {
    pub(crate) parts: InvocationParts,
    pub(crate) hub_value: Arc<dyn Any + Send + Sync>,
    /// The client name of the row that answers.
    method: Option<&'static str>,
    extensions: Extensions,
}

/// What the runtime read off an upstream request. The fields are those of the wire.
#[derive(Clone)]
pub struct InvocationParts {
    /// The hub, lower-case, as the service names it.
    pub hub: String,
    /// `messages` or `connections`, told apart further by event.
    pub category: Category,
    /// The event as the client wrote it: the method name, `connected` or `disconnected`.
    pub event: String,
    /// The public id of the client's connection.
    pub connection_id: String,
    /// The user that negotiate gave to the connection.
    pub user_id: Option<String>,
    /// The claims that negotiate gave to the connection.
    pub claims: Claims,
    /// The query of the client's connect request.
    pub query: Query,
    /// The headers of the upstream request, without the client's query, which may hold its token.
    pub headers: HeaderMap,
    /// The client's protocol.
    pub protocol: Protocol,
    /// The encoded argument array, untouched. Empty for `connected` and `disconnected`.
    pub arguments: Bytes,
    /// Why the connection ended; only for `disconnected`.
    pub error: Option<String>,
    /// The id that the client waits on; `None` for a `send`.
    pub invocation_id: Option<String>,
    /// When the call came in, as time since the app started.
    pub arrived: Duration,
    /// Fires when the service hangs up before the answer.
    pub cancellation: Cancellation,
}

impl Invocation {
    /// The call with the hub value it goes to.
    #[doc(hidden)]
    #[must_use]
    pub fn new(parts: InvocationParts, hub_value: Arc<dyn Any + Send + Sync>) -> Self {
        Self { parts, hub_value, method: None, extensions: Extensions::default() }
    }

    /// The same call, answered by the method that clients call `method`.
    #[must_use]
    pub(crate) fn answered_by(mut self, method: Option<&'static str>) -> Self {
        self.method = method;
        self
    }

    /// The hub's name, lower-case, as the service uses it.
    #[must_use]
    pub fn hub_name(&self) -> &str {
        &self.parts.hub
    }

    /// The hub value itself, if the call goes to a hub of type `H`. Gives filters and extractors the
    /// application's state.
    #[must_use]
    pub fn hub<H: Hub>(&self) -> Option<&H> {
        self.hub_value.downcast_ref()
    }

    /// Message, connected or disconnected.
    #[must_use]
    pub fn category(&self) -> Category {
        self.parts.category
    }

    /// The event in the client's own spelling.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.parts.event
    }

    /// The name of the hub method that answers, in one spelling whatever the client wrote. `None` when
    /// no method does, which is a `connected` that only filters judge.
    #[must_use]
    pub fn method(&self) -> Option<&'static str> {
        self.method
    }

    /// When the call came in, as time since the app started. It is the runtime's clock, so paused time
    /// in a test drives it.
    #[must_use]
    pub fn arrived(&self) -> Duration {
        self.parts.arrived
    }

    /// The public id of the client's connection.
    #[must_use]
    pub fn connection_id(&self) -> &str {
        &self.parts.connection_id
    }

    /// The user that negotiate gave to the connection.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.parts.user_id.as_deref()
    }

    /// The claims that negotiate gave to the connection. Sealed, so no client can add one.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.parts.claims
    }

    /// The query of the client's connect request, without its access token.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.parts.query
    }

    /// The headers of the upstream request, without the client's query: see [`Self::query`].
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The client's protocol.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.parts.protocol
    }

    /// The argument array as the client encoded it, before any decoding.
    #[must_use]
    pub fn raw_arguments(&self) -> &Bytes {
        &self.parts.arguments
    }

    /// Why the connection ended; only for `disconnected`, and only when it did not end cleanly.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.parts.error.as_deref()
    }

    /// The id that the client waits on; `None` when it does not wait (`send`).
    #[must_use]
    pub fn invocation_id(&self) -> Option<&str> {
        self.parts.invocation_id.as_deref()
    }

    /// Fires when the service hangs up before the answer.
    #[must_use]
    pub fn cancellation(&self) -> &Cancellation {
        &self.parts.cancellation
    }

    /// Values that a filter hands on to later filters, extractors and the method.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.parts, f)
    }
}

impl fmt::Debug for InvocationParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments, claims and headers may hold what a log must not.
        f.debug_struct("Invocation")
            .field("hub", &self.hub)
            .field("category", &self.category)
            .field("event", &self.event)
            .field("connection_id", &self.connection_id)
            .finish_non_exhaustive()
    }
}

/// Values by type, added while a call runs.
#[derive(Default)]
pub struct Extensions {
    values: Mutex<http::Extensions>,
}

impl Extensions {
    /// Adds a value; the value of the same type that was there before is returned.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).insert(value)
    }

    /// A copy of the value of this type.
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).get().cloned()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extensions")
    }
}

/// The claims of a connection: a list, since a type may repeat (several roles, say).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Claims(Vec<(String, String)>);

impl Claims {
    /// The first value of a claim type.
    #[must_use]
    pub fn get(&self, claim_type: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == claim_type).map(|(_, value)| value)
    }

    /// Every value of a claim type, in order.
    pub fn all<'a>(&'a self, claim_type: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.iter().filter(move |(name, _)| *name == claim_type).map(|(_, value)| value)
    }

    /// Whether a claim type has this value, among others perhaps.
    #[must_use]
    pub fn has(&self, claim_type: &str, value: &str) -> bool {
        self.all(claim_type).any(|held| held == value)
    }

    /// Type and value of each claim, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many claims there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Claims {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(claims: I) -> Self {
        Self(claims.into_iter().collect())
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A decoded query string; names may repeat.
#[derive(Clone, Default)]
pub struct Query {
    raw: Box<str>,
    /// Most calls are not asked for their query, so it is decoded once it is.
    pairs: OnceLock<Vec<(String, String)>>,
}

impl Query {
    /// Reads a raw query, with or without the leading `?`. The access token that browsers put there
    /// is left out, so that it cannot leak from here.
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        Self { raw: raw.strip_prefix('?').unwrap_or(raw).into(), pairs: OnceLock::new() }
    }

    fn pairs(&self) -> &[(String, String)] {
        self.pairs.get_or_init(|| {
            let pairs = self.raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            });
            pairs.filter(|(name, _)| !name.eq_ignore_ascii_case("access_token")).collect()
        })
    }

    /// The first value of a name, compared exactly.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// Name and value of each parameter, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs().iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every value of a name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.pairs().iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.pairs() == other.pairs()
    }
}

impl Eq for Query {}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs().iter().map(|(name, _)| name)).finish()
    }
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_loses_its_access_token() {
        let query = Query::parse("?hub=chat&room=a%20b&room=c+d&access_token=secret&flag");

        assert_eq!(query.get("hub"), Some("chat"));
        assert_eq!(query.all("room").collect::<Vec<_>>(), ["a b", "c d"]);
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("access_token"), None);
    }

    #[test]
    fn a_claim_type_keeps_all_its_values() {
        let claims: Claims = [("role", "a"), ("role", "b")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into_iter()
            .collect();

        assert_eq!(claims.all("role").collect::<Vec<_>>(), ["a", "b"]);
        assert!(claims.has("role", "b"));
        assert!(!claims.has("role", "c"));
    }
}
