//! Deserialization of the settings file with case-insensitive keys.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use crate::Template;

const UPSTREAM_SETTINGS: &str = "UpstreamSettings";
const TEMPLATES: &str = "Templates";
const URL: &str = "UrlTemplate";
const HUB: &str = "HubPattern";
const CATEGORY: &str = "CategoryPattern";
const EVENT: &str = "EventPattern";

/// An unknown key.
#[derive(Debug)]
pub(super) struct UnknownKey {
    pub(super) key: String,
    pub(super) known: &'static [&'static str],
}

/// An object with case-insensitive keys, and the unknown keys of the object and of its nested objects.
#[derive(Default)]
pub(super) struct Object<T> {
    pub(super) value: T,
    pub(super) unknown: Vec<UnknownKey>,
}

/// Contents of the file: the templates.
#[derive(Default)]
pub(super) struct File(pub(super) Vec<Template>);

#[derive(Default)]
struct Upstream(Vec<Template>);

#[derive(Default)]
struct Draft {
    url: Option<Url>,
    hubs: Option<Pattern>,
    categories: Option<Pattern>,
    events: Option<Pattern>,
}

/// The keys of an object.
trait Keys: Default {
    const KEYS: &'static [&'static str];
    const NAME: &'static str;

    /// Reads the value of a known key, and adds the unknown keys in it to `unknown`.
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        unknown: &mut Vec<UnknownKey>,
    ) -> Result<(), A::Error>;

    /// Whether an unknown key of this object is reported.
    fn is_reported(_: &str) -> bool {
        true
    }

    /// Validates the object after its last key.
    fn check<E: Error>(&self) -> Result<(), E> {
        Ok(())
    }
}

impl<'de, T: Keys> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de, T: Keys> Visitor<'de> for Object<T> {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, an object with the keys {}", T::NAME, T::KEYS.join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if let Some(known) = T::KEYS.iter().find(|known| known.eq_ignore_ascii_case(&key)) {
                self.value.read(known, &mut map, &mut self.unknown)?;
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            if T::is_reported(&key) {
                self.unknown.push(UnknownKey { key, known: T::KEYS });
            }
        }
        self.value.check()?;
        Ok(self)
    }
}

impl Keys for File {
    const KEYS: &'static [&'static str] = &[UPSTREAM_SETTINGS];
    const NAME: &'static str = "the settings";

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        _: &str,
        map: &mut A,
        unknown: &mut Vec<UnknownKey>,
    ) -> Result<(), A::Error> {
        if let Some(upstream) = map.next_value::<Option<Object<Upstream>>>()? {
            self.0.extend(upstream.value.0);
            unknown.extend(upstream.unknown);
        }
        Ok(())
    }

    /// Other programs may share the file, so only likely typos are reported.
    fn is_reported(key: &str) -> bool {
        hub_core::names::nearest(key, Self::KEYS.iter().copied()).is_some()
    }
}

impl Keys for Upstream {
    const KEYS: &'static [&'static str] = &[TEMPLATES];
    const NAME: &'static str = "the upstream settings";

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        _: &str,
        map: &mut A,
        unknown: &mut Vec<UnknownKey>,
    ) -> Result<(), A::Error> {
        self.0.clear();
        for draft in map.next_value::<Option<Vec<Object<Draft>>>>()?.unwrap_or_default() {
            unknown.extend(draft.unknown);
            let Draft { url, hubs, categories, events } = draft.value;
            // `check` has refused drafts without a URL.
            let Some(Url(template)) = url else { continue };
            let rule = |pattern: Option<Pattern>| pattern.unwrap_or_default().0;
            self.0.push(
                template.hubs(&rule(hubs)).categories(&rule(categories)).events(&rule(events)),
            );
        }
        Ok(())
    }
}

impl Keys for Draft {
    const KEYS: &'static [&'static str] = &[URL, HUB, CATEGORY, EVENT];
    const NAME: &'static str = "a template";

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        _: &mut Vec<UnknownKey>,
    ) -> Result<(), A::Error> {
        match key {
            URL => self.url = map.next_value()?,
            HUB => self.hubs = map.next_value()?,
            CATEGORY => self.categories = map.next_value()?,
            _ => self.events = map.next_value()?,
        }
        Ok(())
    }

    fn check<E: Error>(&self) -> Result<(), E> {
        if self.url.is_none() {
            return Err(E::custom(format!(
                "a template requires a `{URL}` such as \"http://localhost:7071/api/signalr\""
            )));
        }
        Ok(())
    }
}

/// A string in a format. The string is parsed during deserialization, so that serde adds line and column
/// to the error.
struct Text<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }
}

struct Url(Template);

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| {
            Template::new(text.trim()).map(Self).map_err(|error| {
                let shown = text.split('?').next().unwrap_or_default();
                format!("`{URL}` \"{shown}\" cannot be used: {error}")
            })
        };
        deserializer.deserialize_str(Text { expected: "a URL as a string", parse })
    }
}

#[derive(Default)]
struct Pattern(String);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a pattern: \"*\", a name, or a comma-separated list of names";
        let parse = |text: &str| {
            let mut names = text.split(',').map(str::trim).filter(|name| *name != "*");
            if names.any(|name| name.contains(['*', '?', '{', '}'])) {
                return Err(format!(
                    "unsupported pattern \"{text}\": use \"*\", a name, or a comma-separated list \
                     of names"
                ));
            }
            Ok(Self(text.to_owned()))
        };
        deserializer.deserialize_str(Text { expected, parse })
    }
}
