//! Deserialization of the settings file with case-insensitive keys.

use std::{fmt, marker::PhantomData};

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

/// Contents of the file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) templates: Vec<Template>,
    pub(super) unknown: Vec<UnknownKey>,
}

#[derive(Default)]
struct Upstream {
    templates: Vec<Draft>,
    unknown: Vec<UnknownKey>,
}

#[derive(Default)]
struct Draft {
    url: Option<Url>,
    hubs: Option<Pattern>,
    categories: Option<Pattern>,
    events: Option<Pattern>,
    unknown: Vec<UnknownKey>,
}

/// An object with case-insensitive keys.
trait Object: Default {
    const KEYS: &'static [&'static str];
    const NAME: &'static str;

    /// Reads the value of a known key.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;

    fn unknown(&mut self, unknown: UnknownKey);

    /// Validates the object after its last key.
    fn check<E: Error>(&self) -> Result<(), E> {
        Ok(())
    }
}

struct Keys<T>(PhantomData<T>);

impl<'de, T: Object> Visitor<'de> for Keys<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, an object with the keys {}", T::NAME, T::KEYS.join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(key) = map.next_key::<String>()? {
            match T::KEYS.iter().find(|known| known.eq_ignore_ascii_case(&key)) {
                Some(known) => object.read(known, &mut map)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                    object.unknown(UnknownKey { key, known: T::KEYS });
                }
            }
        }
        object.check()?;
        Ok(object)
    }
}

fn object<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(Keys(PhantomData))
}

impl Object for File {
    const KEYS: &'static [&'static str] = &[UPSTREAM_SETTINGS];
    const NAME: &'static str = "the settings";

    fn read<'de, A: MapAccess<'de>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
        let Some(upstream) = map.next_value::<Option<Upstream>>()? else { return Ok(()) };
        self.unknown.extend(upstream.unknown);
        for draft in upstream.templates {
            let Draft { url, hubs, categories, events, unknown } = draft;
            self.unknown.extend(unknown);
            // `check` has refused drafts without a URL.
            let Some(Url(template)) = url else { continue };
            let rule = |pattern: Option<Pattern>| pattern.unwrap_or_default().0;
            self.templates.push(
                template.hubs(&rule(hubs)).categories(&rule(categories)).events(&rule(events)),
            );
        }
        Ok(())
    }

    /// Other programs may share the file, so only likely typos are reported.
    fn unknown(&mut self, unknown: UnknownKey) {
        if hub_core::names::nearest(&unknown.key, unknown.known.iter().copied()).is_some() {
            self.unknown.push(unknown);
        }
    }
}

impl Object for Upstream {
    const KEYS: &'static [&'static str] = &[TEMPLATES];
    const NAME: &'static str = "the upstream settings";

    fn read<'de, A: MapAccess<'de>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
        self.templates = map.next_value::<Option<Vec<Draft>>>()?.unwrap_or_default();
        Ok(())
    }

    fn unknown(&mut self, unknown: UnknownKey) {
        self.unknown.push(unknown);
    }
}

impl Object for Draft {
    const KEYS: &'static [&'static str] = &[URL, HUB, CATEGORY, EVENT];
    const NAME: &'static str = "a template";

    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            URL => self.url = map.next_value()?,
            HUB => self.hubs = map.next_value()?,
            CATEGORY => self.categories = map.next_value()?,
            _ => self.events = map.next_value()?,
        }
        Ok(())
    }

    fn unknown(&mut self, unknown: UnknownKey) {
        self.unknown.push(unknown);
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

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Draft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

/// Parsed during deserialization, so that serde adds line and column to the error.
struct Url(Template);

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Url;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a URL as a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Url, E> {
                Template::new(text.trim()).map(Url).map_err(|error| {
                    let shown = text.split('?').next().unwrap_or_default();
                    E::custom(format!("`{URL}` \"{shown}\" cannot be used: {error}"))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[derive(Default)]
struct Pattern(String);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Pattern;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a pattern: \"*\", a name, or a comma-separated list of names")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Pattern, E> {
                let names = text.split(',').map(str::trim);
                for name in names.filter(|name| *name != "*") {
                    if name.contains(['*', '?', '{', '}']) {
                        return Err(E::custom(format!(
                            "unsupported pattern \"{text}\": use \"*\", a name, or a comma-separated list \
                             of names"
                        )));
                    }
                }
                Ok(Pattern(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
