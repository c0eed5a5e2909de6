//! `DateOnly` and `TimeOnly`.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error, Visitor, value::SeqDeserializer},
    forward_to_deserialize_any,
};
use serde_json::Value;

use super::{
    ParseError,
    spans::{TICKS_PER_DAY, TICKS_PER_SECOND, clock_ticks, digits},
    text_or_number,
};

/// The number of days before the year 10000, counted from 0001-01-01 (`DateOnly.MaxValue.DayNumber` + 1).
const DAYS: i64 = 3_652_059;

/// A `System.DateOnly`: a date of the Gregorian calendar, of the years 1 to 9999.
///
/// In JSON `2026-11-28`, in MessagePack the number of days since 0001-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateOnly(i64);

impl DateOnly {
    /// A date. `None` if it is not in the calendar.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
        let valid = (1..=9999).contains(&year) && (1..=12).contains(&month);
        (valid && (1..=month_length(year, month)).contains(&day))
            .then(|| Self(days_before_year(year) + days_before_month(year, month) + day - 1))
    }

    /// The date with this number of days since 0001-01-01. `None` after 9999-12-31.
    #[must_use]
    pub fn from_day_number(days: u32) -> Option<Self> {
        (i64::from(days) < DAYS).then_some(Self(days.into()))
    }

    /// The number of days since 0001-01-01.
    #[must_use]
    pub fn day_number(self) -> u32 {
        u32::try_from(self.0).unwrap_or_default()
    }

    /// Year, month and day.
    #[must_use]
    pub fn year_month_day(self) -> (u16, u8, u8) {
        // The estimate is the year or the next one, because 400 years have 146,097 days.
        let estimate = self.0 * 400 / 146_097 + 1;
        let in_year = |year: &i64| days_before_year(*year) <= self.0;
        let year = [estimate + 1, estimate].into_iter().find(in_year).unwrap_or(estimate - 1);
        let day = self.0 - days_before_year(year);
        let month =
            (1..=12).rev().find(|month| days_before_month(year, *month) <= day).unwrap_or(1);
        let day = day - days_before_month(year, month) + 1;
        (
            u16::try_from(year).unwrap_or_default(),
            u8::try_from(month).unwrap_or_default(),
            u8::try_from(day).unwrap_or_default(),
        )
    }
}

fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap_year(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_before_month(year: i64, month: i64) -> i64 {
    (1..month).map(|before| month_length(year, before)).sum()
}

text_or_number!(DateOnly, "a date such as \"2026-11-28\"", day_number, |days| {
    DateOnly::from_day_number(u32::try_from(days).ok()?)
});

impl fmt::Display for DateOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.year_month_day();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for DateOnly {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut parts = text.split('-');
        let mut next = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            digits(part, length)
        };
        let parts = (next(4), next(2), next(2), next(0));
        let (Some(year), Some(month), Some(day)) = (parts.0, parts.1, parts.2) else {
            return Err(ParseError::expected("a date such as \"2026-11-28\"", text));
        };
        let date = || {
            Self::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
        };
        date()
            .filter(|_| text.len() == 10)
            .ok_or_else(|| ParseError::expected("a date such as \"2026-11-28\"", text))
    }
}

/// A `System.TimeOnly`: a time of day.
///
/// In JSON `10:00:00.1230000`, in MessagePack the number of ticks of 100 ns since midnight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOnly(i64);

impl TimeOnly {
    /// The time with this number of ticks since midnight. `None` if a day has fewer ticks.
    #[must_use]
    pub fn from_ticks(ticks: i64) -> Option<Self> {
        (0..TICKS_PER_DAY).contains(&ticks).then_some(Self(ticks))
    }

    /// The number of ticks of 100 ns since midnight.
    #[must_use]
    pub const fn ticks(self) -> i64 {
        self.0
    }
}

text_or_number!(TimeOnly, "a time of day such as \"10:00:00.123\"", ticks, TimeOnly::from_ticks);

impl fmt::Display for TimeOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / TICKS_PER_SECOND;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        match self.0 % TICKS_PER_SECOND {
            0 => Ok(()),
            fraction => write!(f, ".{fraction:07}"),
        }
    }
}

impl FromStr for TimeOnly {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        clock_ticks(text)
            .map(Self)
            .ok_or_else(|| ParseError::expected("a time of day such as \"10:00:00.123\"", text))
    }
}

/// A type that other crates write as text. Without the feature `serde-human-readable`, the crate `time` writes numbers.
trait Parts: Sized + FromStr<Err = ParseError> + fmt::Display {
    fn from_numbers(numbers: &[i64]) -> Option<Self>;

    fn numbers(&self) -> Vec<i64>;
}

impl Parts for DateOnly {
    /// Year and day of the year.
    fn from_numbers(numbers: &[i64]) -> Option<Self> {
        let &[year, ordinal] = numbers else { return None };
        let first = Self::new(u16::try_from(year).ok()?, 1, 1)?;
        let days = 365 + i64::from(is_leap_year(year));
        (1..=days).contains(&ordinal).then_some(Self(first.0 + ordinal - 1))
    }

    fn numbers(&self) -> Vec<i64> {
        let year = i64::from(self.year_month_day().0);
        vec![year, self.0 - days_before_year(year) + 1]
    }
}

impl Parts for TimeOnly {
    /// Hour, minute, second and nanosecond. Parts of a tick are cut off.
    fn from_numbers(numbers: &[i64]) -> Option<Self> {
        let &[hour, minute, second, nanosecond] = numbers else { return None };
        Self::from_ticks((hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND + nanosecond / 100)
    }

    fn numbers(&self) -> Vec<i64> {
        let seconds = self.0 / TICKS_PER_SECOND;
        let nanosecond = self.0 % TICKS_PER_SECOND * 100;
        vec![seconds / 3600, seconds / 60 % 60, seconds % 60, nanosecond]
    }
}

/// Converts a value of another crate.
fn converted<T: Serialize, P: Parts, E: serde::ser::Error>(value: &T) -> Result<P, E> {
    match serde_json::to_value(value).map_err(E::custom)? {
        Value::String(text) => up_to_ticks(&text).parse().map_err(E::custom),
        Value::Array(numbers) => {
            let numbers: Option<Vec<_>> = numbers.iter().map(Value::as_i64).collect();
            numbers.and_then(|numbers| P::from_numbers(&numbers)).ok_or_else(unfit::<T, E>)
        }
        _ => Err(unfit::<T, E>()),
    }
}

/// The text with its fraction cut to ticks.
fn up_to_ticks(text: &str) -> &str {
    let end = text.find('.').map_or(text.len(), |point| text.len().min(point + 8));
    text.get(..end).unwrap_or(text)
}

fn unfit<T, E: serde::ser::Error>() -> E {
    E::custom(format_args!("`{}` is neither a date nor a time of day", std::any::type_name::<T>()))
}

/// The deserializer of a value of another crate.
struct Converted<P, E>(P, PhantomData<E>);

impl<'de, P: Parts, E: Error> Deserializer<'de> for Converted<P, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_string(self.0.to_string())
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, E> {
        visitor.visit_seq(SeqDeserializer::new(self.0.numbers().into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple_struct map struct enum identifier ignored_any
    }
}

/// A date of another crate as a [`DateOnly`]: `chrono::NaiveDate`, `time::Date`, `jiff::civil::Date` and other types
/// that serde writes as `2026-11-28`.
pub mod date_only {
    use super::{
        Converted, DateOnly, Deserialize, DeserializeOwned, Deserializer, PhantomData, Serialize,
        Serializer, converted,
    };

    /// Writes the value.
    ///
    /// # Errors
    /// When the type is written in another form, or is not in the range of the .NET type.
    pub fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        converted::<T, DateOnly, S::Error>(value)?.serialize(serializer)
    }

    /// Reads the value.
    ///
    /// # Errors
    /// When the value has another form, or does not fit the type.
    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::deserialize(Converted(DateOnly::deserialize(deserializer)?, PhantomData))
    }
}

/// A time of day of another crate as a [`TimeOnly`]: `chrono::NaiveTime`, `time::Time`, `jiff::civil::Time` and other
/// types that serde writes as `10:00:00.123`. Parts of 100 ns are cut off when it is written.
pub mod time_only {
    use super::{
        Converted, Deserialize, DeserializeOwned, Deserializer, PhantomData, Serialize, Serializer,
        TimeOnly, converted,
    };

    /// Writes the value.
    ///
    /// # Errors
    /// When the type is written in another form, or is not in the range of the .NET type.
    pub fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        converted::<T, TimeOnly, S::Error>(value)?.serialize(serializer)
    }

    /// Reads the value.
    ///
    /// # Errors
    /// When the value has another form, or does not fit the type.
    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::deserialize(Converted(TimeOnly::deserialize(deserializer)?, PhantomData))
    }
}
