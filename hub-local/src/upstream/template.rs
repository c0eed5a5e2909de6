//! URL templates and the rules that select their events.

use std::fmt;

use http::Uri;
use hub_core::names;
use hub_net::BoxError;

use super::guard::{self, RefusedAddress};

const HUB: &str = "{hub}";
const CATEGORY: &str = "{category}";
const EVENT: &str = "{event}";

/// A URL template and the events that are sent to it.
///
/// A rule is `*`, one name, or several comma-separated names; a template without rules matches every
/// event. Categories and events are case-sensitive, hubs are not.
///
/// ```
/// use hub_local::Template;
///
/// let chat = Template::new("http://127.0.0.1:7071/{hub}/{category}/{event}")?
///     .hubs("chat, support")
///     .categories("messages");
/// assert_eq!(chat.to_string(), "http://127.0.0.1:7071/{hub}/{category}/{event}");
/// # Ok::<(), hub_local::TemplateError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    url: String,
    /// The URL of all events, if it has no parameters.
    fixed: Option<Uri>,
    /// Whether the host has no parameters, so that it needs no check for each call.
    has_fixed_host: bool,
    hubs: Rule,
    categories: Rule,
    events: Rule,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({self}: {})", self.rules())
    }
}

/// Why a URL template is invalid.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Not an absolute URL.
    #[error("the upstream must be an absolute URL such as http://127.0.0.1:7071/api/signalr")]
    NotAbsolute,
    /// A scheme other than `http`, or `https` with the feature `https`.
    #[error("the upstream must be an {} URL", if cfg!(feature = "https") {
        "http or https"
    } else {
        "http (https needs the feature `https`)"
    })]
    Scheme,
    /// A parameter other than `{hub}`, `{category}` and `{event}`.
    #[error(
        "the upstream URL contains an unknown placeholder: use {{hub}}, {{category}} or {{event}}"
    )]
    Parameter,
    /// `{event}` in the host, which is refused because clients choose the event.
    #[error("{{event}} is not allowed in the host, because clients choose the event")]
    Host,
    /// A user name or password in the URL.
    #[error("the upstream URL must not contain a user name or password")]
    UserInfo,
    /// A link-local or metadata address. On cloud machines, such addresses serve credentials.
    #[error("the upstream must not be a link-local or metadata address")]
    Address,
}

/// The names that a rule matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Rule {
    #[default]
    Anything,
    OneOf(Vec<String>),
}

/// The values that rules are compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) hub: &'a str,
    pub(crate) category: &'a str,
    pub(crate) event: &'a str,
}

impl Template {
    /// Creates a template that matches every event. The URL may contain `{hub}`, `{category}` and `{event}`.
    ///
    /// # Errors
    /// When the URL is not absolute after the parameters are filled in, has a scheme that is not supported,
    /// contains credentials, or has a link-local or metadata address. See [`TemplateError`].
    pub fn new(url: impl Into<String>) -> Result<Self, TemplateError> {
        let url = url.into();
        let example = Event { hub: "hub", category: "category", event: "event" };
        let example = fill(&url, example);
        if example.contains(['{', '}']) {
            return Err(TemplateError::Parameter);
        }
        let uri: Uri = example.parse().map_err(|_| TemplateError::NotAbsolute)?;
        let scheme = uri.scheme_str().ok_or(TemplateError::NotAbsolute)?;
        if scheme != "http" && !(cfg!(feature = "https") && scheme == "https") {
            return Err(TemplateError::Scheme);
        }
        if authority(&url).contains(EVENT) {
            return Err(TemplateError::Host);
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(TemplateError::UserInfo);
        }
        if uri.host().is_none_or(guard::is_refused_literal) {
            return Err(TemplateError::Address);
        }
        let has_parameters = url.contains(['{', '}']);
        Ok(Self {
            fixed: (!has_parameters).then_some(uri),
            has_fixed_host: !authority(&url).contains('{'),
            url,
            hubs: Rule::default(),
            categories: Rule::default(),
            events: Rule::default(),
        })
    }

    /// Matches only events of these hubs.
    #[must_use]
    pub fn hubs(self, rule: &str) -> Self {
        Self { hubs: Rule::parse(rule), ..self }
    }

    /// Matches only these categories: `connections` or `messages`.
    #[must_use]
    pub fn categories(self, rule: &str) -> Self {
        Self { categories: Rule::parse(rule), ..self }
    }

    /// Matches only these events: `connected`, `disconnected`, or names of hub methods.
    #[must_use]
    pub fn events(self, rule: &str) -> Self {
        Self { events: Rule::parse(rule), ..self }
    }

    /// A description of the rules: `hub chat, any category, event a or b`.
    #[must_use]
    pub fn rules(&self) -> String {
        let Self { hubs, categories, events, .. } = self;
        let rules = [("hub", hubs), ("category", categories), ("event", events)];
        rules.map(|(name, rule)| rule.describe(name)).join(", ")
    }

    pub(crate) fn matches(&self, event: Event<'_>) -> bool {
        self.hubs.allows(|name| name.eq_ignore_ascii_case(event.hub))
            && self.categories.allows(|name| name == event.category)
            && self.events.allows(|name| name == event.event)
    }

    /// The URL of one event.
    pub(crate) fn fill(&self, event: Event<'_>) -> String {
        fill(&self.url, event)
    }

    /// The URL of one event. Its host is not a refused address.
    pub(super) fn uri(&self, event: Event<'_>) -> Result<Uri, BoxError> {
        if let Some(uri) = &self.fixed {
            return Ok(uri.clone());
        }
        let uri: Uri = self.fill(event).parse()?;
        if !self.has_fixed_host && uri.host().is_none_or(guard::is_refused_literal) {
            return Err(RefusedAddress.into());
        }
        Ok(uri)
    }
}

impl fmt::Display for Template {
    /// The URL without its query, which may contain a key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.url.split('?').next().unwrap_or_default())
    }
}

impl Rule {
    fn parse(rule: &str) -> Self {
        let names: Vec<_> =
            rule.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.is_empty() || names.contains(&"*") {
            return Self::Anything;
        }
        Self::OneOf(names.into_iter().map(str::to_owned).collect())
    }

    fn allows(&self, fits: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Anything => true,
            Self::OneOf(names) => names.iter().any(|name| fits(name)),
        }
    }

    fn describe(&self, kind: &str) -> String {
        match self {
            Self::Anything => format!("any {kind}"),
            Self::OneOf(names) => format!("{kind} {}", names.join(" or ")),
        }
    }
}

/// Replaces all parameters in one pass, so that values that look like parameters are not replaced.
fn fill(template: &str, event: Event<'_>) -> String {
    let parameters = [(HUB, event.hub), (CATEGORY, event.category), (EVENT, event.event)];
    let mut filled = String::with_capacity(template.len() + event.event.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let (before, after) = rest.split_at(start);
        filled.push_str(before);
        let named = parameters.iter().find(|(name, _)| after.starts_with(name));
        let taken = match named {
            Some((name, value)) => {
                filled.push_str(&names::encode_segment(value));
                name.len()
            }
            None => {
                filled.push('{');
                1
            }
        };
        rest = after.get(taken..).unwrap_or_default();
    }
    filled.push_str(rest);
    filled
}

/// The part between scheme and path, with unreplaced parameters.
fn authority(template: &str) -> &str {
    let after_scheme = template.split_once("://").map_or("", |(_, rest)| rest);
    after_scheme.split(['/', '?']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:7071/api";

    fn event<'a>(hub: &'a str, category: &'a str, event: &'a str) -> Event<'a> {
        Event { hub, category, event }
    }

    #[test]
    fn a_template_without_patterns_matches_everything() {
        let template = Template::new(URL).unwrap();

        assert!(template.matches(event("chat", "messages", "send")));
        assert!(template.matches(event("other", "connections", "connected")));
    }

    #[test]
    fn a_star_is_no_rule() {
        let template = Template::new(URL).unwrap().hubs("*").categories(" * ").events("");
        assert_eq!(template, Template::new(URL).unwrap());
    }

    #[test]
    fn all_three_rules_must_hold() {
        let template =
            Template::new(URL).unwrap().hubs("chat").categories("messages").events("a, b");

        assert!(template.matches(event("chat", "messages", "a")));
        assert!(template.matches(event("chat", "messages", "b")));
        assert!(!template.matches(event("chat", "messages", "c")));
        assert!(!template.matches(event("chat", "connections", "a")));
        assert!(!template.matches(event("news", "messages", "a")));
    }

    #[test]
    fn names_match_whole_and_only_hubs_ignore_case() {
        let template = Template::new(URL).unwrap().hubs("Chat").events("Send");

        assert!(template.matches(event("chat", "messages", "Send")));
        assert!(!template.matches(event("chat", "messages", "send")));
        assert!(!template.matches(event("chat", "messages", "SendAll")));
    }

    #[test]
    fn names_are_percent_encoded_once() {
        let template =
            Template::new("http://h:1/{hub}/{category}/{event}?code=x&e={event}").unwrap();

        let url = template.fill(event("chat", "messages", "a/b größe"));
        assert_eq!(
            url,
            "http://h:1/chat/messages/a%2Fb%20gr%C3%B6%C3%9Fe?code=x&e=a%2Fb%20gr%C3%B6%C3%9Fe"
        );
        let url = template.fill(event("chat", "messages", "{hub}%41"));
        assert_eq!(url, "http://h:1/chat/messages/%7Bhub%7D%2541?code=x&e=%7Bhub%7D%2541");
    }

    #[test]
    fn templates_are_checked_at_once() {
        let error = |url: &str| Template::new(url).unwrap_err();

        assert_eq!(error("/api"), TemplateError::NotAbsolute);
        assert_eq!(error("127.0.0.1:7071"), TemplateError::NotAbsolute);
        assert_eq!(error("ftp://h/"), TemplateError::Scheme);
        assert_eq!(error("http://h/{user}"), TemplateError::Parameter);
        assert_eq!(error("http://h/{"), TemplateError::Parameter);
        assert_eq!(error("http://{event}.example/"), TemplateError::Host);
        assert_eq!(error("http://a:b@h/"), TemplateError::UserInfo);
        assert_eq!(error("http://169.254.169.254/latest"), TemplateError::Address);
        assert_eq!(error("http://[fe80::1]:80/"), TemplateError::Address);
        assert!(Template::new("http://{hub}.example/{event}").is_ok());
    }

    #[test]
    fn a_host_with_parameters_is_checked_for_each_call() {
        let refused = |url: &str, hub: &str| {
            let uri = Template::new(url).unwrap().uri(event(hub, "messages", "send"));
            uri.is_err_and(|error| error.is::<RefusedAddress>())
        };

        assert!(refused("http://{hub}/", "169.254.169.254"));
        assert!(refused("http://{hub}:80/{event}", "2852039166"));
        assert!(refused("http://169.254.169.{hub}/", "254"));
        assert!(!refused("http://{hub}/", "127.0.0.1"));
        assert!(!refused("http://a/{hub}", "169.254.169.254"));
    }

    #[test]
    fn a_url_without_parameters_is_that_of_each_event() {
        let uri = |url: &str| Template::new(url).unwrap().uri(event("chat", "messages", "a b"));

        assert_eq!(uri("http://h:1/api?code=x").unwrap(), "http://h:1/api?code=x");
        assert_eq!(uri("http://h:1/{hub}/{event}").unwrap(), "http://h:1/chat/a%20b");
    }

    #[test]
    fn displayed_urls_have_no_query() {
        let template = Template::new("http://h/api?code=secret").unwrap().hubs("a,b");

        assert_eq!(template.to_string(), "http://h/api");
        assert_eq!(template.rules(), "hub a or b, any category, any event");
    }
}
