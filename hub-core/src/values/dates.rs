//! Dates of the crates `chrono`, `time` and `jiff`, and `SystemTime`: read from RFC 3339 text, which the timestamp
//! extension of MessagePack becomes, and from `[timestamp, minutes]`, which the .NET client writes for a
//! `DateTimeOffset` in MessagePack.
//!
//! serde does not tell which text a type parses, so this module compares the name of the type. Dates of other crates are
//! read as text.

use std::{any::type_name, fmt};

use serde::de::{
    DeserializeSeed, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
    value::SeqDeserializer,
};
use serde_json::Value;

use super::{moment::Moment, reading::Items};

/// What a date type asks its deserializer for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Text,
    Any,
}

/// The form in which a type reads a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 3339 text.
    Zoned,
    /// RFC 3339 text with the zone in brackets.
    Bracketed,
    /// Text without a zone.
    Local,
    /// Text without a time of day.
    Day,
    /// The numbers of the crate `time`: with an offset, in UTC, without a zone, and without a time of day.
    OffsetNumbers,
    UtcNumbers,
    LocalNumbers,
    DayNumbers,
    /// Seconds and nanoseconds since 1970.
    System,
}

/// The form of a date that this visitor reads. `None` for other types, and inside of an adapter, whose visitor knows
/// the form.
#[inline]
pub(super) fn form<'de, V: Visitor<'de>>(asked: Asked) -> Option<Form> {
    let name = type_name::<V::Value>();
    if name.starts_with("chrono::") || name.starts_with("time::") || name.starts_with("jiff::") {
        let is_known = type_name::<V>().contains(concat!(module_path!(), "::Date<"));
        return if is_known { None } else { named(name, asked) };
    }
    None
}

fn named(name: &str, asked: Asked) -> Option<Form> {
    let path = name.split('<').next()?;
    let (library, path) = path.split_once("::")?;
    let last = path.rsplit("::").next()?;
    Some(match (library, last, asked) {
        ("chrono", "DateTime", _)
        | ("jiff", "Timestamp", _)
        // `time::serde::rfc3339` asks for text.
        | ("time", "OffsetDateTime", Asked::Text) => Form::Zoned,
        ("jiff", "Zoned", _) => Form::Bracketed,
        ("chrono", "NaiveDateTime", _) | ("jiff", "DateTime", _) => Form::Local,
        ("chrono", "NaiveDate", _) | ("jiff", "Date", _) => Form::Day,
        ("time", "OffsetDateTime", Asked::Any) => Form::OffsetNumbers,
        ("time", "UtcDateTime", Asked::Any) => Form::UtcNumbers,
        ("time", "PlainDateTime" | "PrimitiveDateTime", Asked::Any) => Form::LocalNumbers,
        ("time", "Date", Asked::Any) => Form::DayNumbers,
        _ => return None,
    })
}

/// The time in the JSON of a date of type `T`. `None` without a zone.
pub(super) fn written<T>(value: &Value) -> Option<Moment> {
    clock::<T>(value).filter(|moment| moment.offset().is_some())
}

/// The time in the JSON of a date of type `T`, with or without a zone.
pub(crate) fn clock<T>(value: &Value) -> Option<Moment> {
    let moment = match value {
        Value::String(text) => Moment::parse(text)?,
        Value::Array(numbers) => {
            let numbers: Vec<i64> = numbers.iter().map(Value::as_i64).collect::<Option<_>>()?;
            let (time, zone) = numbers.split_at_checked(6)?;
            let offset = match zone {
                [] => None,
                [hours, minutes, 0] => Some(i32::try_from(hours * 3600 + minutes * 60).ok()?),
                _ => return None,
            };
            Moment::from_numbers(time, offset)?
        }
        Value::Object(system) => {
            let [seconds, nanoseconds] =
                ["secs_since_epoch", "nanos_since_epoch"].map(|name| system.get(name)?.as_i64());
            Moment::from_utc(seconds?, u32::try_from(nanoseconds?).ok()?)?
        }
        _ => return None,
    };
    let name = type_name::<T>().trim_start_matches("core::option::Option<");
    let is_utc = named(name.trim_end_matches('>'), Asked::Any) == Some(Form::UtcNumbers);
    Some(moment.with_offset(moment.offset().or(is_utc.then_some(0))))
}

/// The beginning of a text for an error.
pub(super) fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(64)]
}

/// The visitor of a date.
pub(super) struct Date<V> {
    pub(super) form: Form,
    pub(super) visitor: V,
}

/// What a date type expects.
struct Expected(Form, &'static str);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Form::Zoned | Form::OffsetNumbers | Form::UtcNumbers | Form::System => {
                "a date with a zone, such as 2026-11-28T10:00:00Z"
            }
            Form::Bracketed => "a date with a zone, such as 2026-11-28T10:00:00Z[UTC]",
            Form::Local | Form::LocalNumbers => {
                "a date without a zone, such as 2026-11-28T10:00:00"
            }
            Form::Day | Form::DayNumbers => "a day without a time, such as 2026-11-28",
        })?;
        let name = self.1.split('<').next().unwrap_or_default();
        write!(f, " (`{}`)", name.rsplit("::").next().unwrap_or_default())
    }
}

impl serde::de::Expected for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de, V: Visitor<'de>> Date<V> {
    fn expected(&self) -> Expected {
        let name = match self.form {
            Form::System => "SystemTime",
            _ => type_name::<V::Value>(),
        };
        Expected(self.form, name)
    }

    /// Passes a time in the form that the type reads. `None` if the type would lose a part of it.
    fn give<E: Error>(self, moment: Moment) -> Result<V::Value, Option<E>> {
        let is_utc = moment.offset() == Some(0);
        let has_zone = moment.offset().is_some();
        let clock = moment.with_offset(None);
        let [year, ordinal, hour, minute, second, nanosecond] = moment.to_numbers();
        let time = [year, ordinal, hour, minute, second, nanosecond];
        match self.form {
            Form::Zoned if has_zone => self.visitor.visit_string(moment.text()).map_err(Some),
            Form::Bracketed if has_zone => {
                // The name of the zone is its offset, because an app may have no database of zones.
                let zone = if is_utc { "+00:00".to_owned() } else { moment.zone() };
                self.visitor.visit_string(format!("{}[{zone}]", moment.text())).map_err(Some)
            }
            Form::Local if is_utc || !has_zone => {
                self.visitor.visit_string(clock.text()).map_err(Some)
            }
            Form::Day if (is_utc || !has_zone) && moment.is_midnight() => {
                self.visitor.visit_string(moment.day()).map_err(Some)
            }
            Form::OffsetNumbers => {
                let offset = i64::from(moment.offset().ok_or(None)?);
                let zone = [offset / 3600, offset / 60 % 60, offset % 60];
                self.numbers(time.into_iter().chain(zone)).map_err(Some)
            }
            Form::UtcNumbers => {
                let seconds = moment.utc_seconds().ok_or(None)?;
                let utc = Moment::from_utc(seconds, moment.nanoseconds()).ok_or(None)?;
                self.numbers(utc.to_numbers().into_iter()).map_err(Some)
            }
            Form::LocalNumbers if is_utc || !has_zone => {
                self.numbers(time.into_iter()).map_err(Some)
            }
            Form::DayNumbers if (is_utc || !has_zone) && moment.is_midnight() => {
                self.numbers([year, ordinal].into_iter()).map_err(Some)
            }
            Form::System => {
                let seconds = moment.utc_seconds().ok_or(None)?;
                self.numbers([seconds, moment.nanoseconds().into()].into_iter()).map_err(Some)
            }
            _ => Err(None),
        }
    }

    fn numbers<E: Error>(self, numbers: impl Iterator<Item = i64>) -> Result<V::Value, E> {
        self.visitor.visit_seq(SeqDeserializer::new(numbers))
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Date<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.expected(), f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let expected = self.expected();
        let unfit = |_| E::invalid_value(Unexpected::Str(excerpt(text)), &expected);
        match Moment::parse(text) {
            // The type parses its own text, which may contain more than RFC 3339 allows.
            _ if self.form == Form::Zoned || text.contains('[') => {
                self.visitor.visit_str(text).map_err(|_: E| unfit(()))
            }
            Some(moment) => self.give(moment).map_err(|_: Option<E>| unfit(())),
            None => match midnight(text).filter(|_| self.form == Form::DayNumbers) {
                Some(moment) => self.give(moment).map_err(|_: Option<E>| unfit(())),
                None => self.visitor.visit_str(text).map_err(|_: E| unfit(())),
            },
        }
    }

    /// `[timestamp, minutes]`, or the numbers of the crate `time`.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<V::Value, A::Error> {
        let expected = self.expected();
        let unfit = || Error::invalid_type(Unexpected::Seq, &expected);
        let moment = match items.next_element::<Value>()?.ok_or_else(unfit)? {
            Value::Number(number) if !matches!(self.form, Form::Zoned) => {
                let first = Some(number.as_i64().ok_or_else(unfit)?);
                return self.visitor.visit_seq(Resumed { first, rest: Items(items) });
            }
            Value::String(text) => Moment::parse(&text),
            _ => None,
        };
        let minutes = items.next_element::<Value>()?.and_then(|minutes| minutes.as_i64());
        let moment = moment.zip(minutes).and_then(|(moment, minutes)| moment.in_zone(minutes));
        let moment = moment.filter(|_| !matches!(items.next_element::<Value>(), Ok(Some(_))));
        self.give(moment.ok_or_else(unfit)?).map_err(|error| error.unwrap_or_else(unfit))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Items(members))
    }
}

/// A day without a time, as a time at midnight.
fn midnight(day: &str) -> Option<Moment> {
    Moment::parse(&format!("{}T00:00:00", excerpt(day)))
}

/// A list whose first element was read.
struct Resumed<A> {
    first: Option<i64>,
    rest: A,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Resumed<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        match self.first.take() {
            Some(first) => seed.deserialize(first.into_deserializer()).map(Some),
            None => self.rest.next_element_seed(seed),
        }
    }
}
