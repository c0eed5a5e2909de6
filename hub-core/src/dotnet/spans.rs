//! `TimeSpan`: a signed duration of ticks.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ParseError, text_or_number};

pub(super) const TICKS_PER_SECOND: i64 = 10_000_000;
pub(super) const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;
const NANOSECONDS_PER_TICK: u64 = 100;

/// A `System.TimeSpan`: a duration in ticks of 100 ns, which can be negative.
///
/// In JSON `[-][d.]hh:mm:ss[.fffffff]` (the constant format "c" of .NET), in MessagePack the number of ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(i64);

impl TimeSpan {
    /// A duration of this number of ticks.
    #[must_use]
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// The number of ticks of 100 ns.
    #[must_use]
    pub const fn ticks(self) -> i64 {
        self.0
    }
}

text_or_number!(TimeSpan, "a duration such as \"1.02:03:04.005\"", ticks, |ticks| Some(TimeSpan(
    ticks
)));

impl TryFrom<Duration> for TimeSpan {
    type Error = ParseError;

    /// Parts of a tick are cut off.
    fn try_from(duration: Duration) -> Result<Self, ParseError> {
        let ticks = duration.as_nanos() / u128::from(NANOSECONDS_PER_TICK);
        i64::try_from(ticks)
            .map(Self)
            .map_err(|_| ParseError(format!("{duration:?} is longer than the longest TimeSpan")))
    }
}

impl TryFrom<TimeSpan> for Duration {
    type Error = ParseError;

    fn try_from(span: TimeSpan) -> Result<Self, ParseError> {
        let Ok(ticks) = u64::try_from(span.0) else {
            return Err(ParseError(format!(
                "expected a duration that is not negative, got {span}"
            )));
        };
        let second = TICKS_PER_SECOND.unsigned_abs();
        let nanoseconds = u32::try_from(ticks % second * NANOSECONDS_PER_TICK).unwrap_or_default();
        Ok(Self::new(ticks / second, nanoseconds))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ticks = self.0.unsigned_abs();
        let (day, second) = (TICKS_PER_DAY.unsigned_abs(), TICKS_PER_SECOND.unsigned_abs());
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if ticks >= day {
            write!(f, "{}.", ticks / day)?;
        }
        let seconds = ticks % day / second;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        match ticks % second {
            0 => Ok(()),
            fraction => write!(f, ".{fraction:07}"),
        }
    }
}

impl FromStr for TimeSpan {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let expected = || ParseError::expected("a duration such as \"1.02:03:04.005\"", text);
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (days, clock) = match rest.split_once('.') {
            Some((days, clock)) if !days.contains(':') => (digits(days, 8), clock),
            _ => (Some(0), rest),
        };
        let ticks = days
            .and_then(|days| days.checked_mul(TICKS_PER_DAY))
            .and_then(|days| days.checked_add(clock_ticks(clock)?))
            .ok_or_else(expected)?;
        Ok(Self(if is_negative { -ticks } else { ticks }))
    }
}

/// The ticks of `hh:mm:ss[.fffffff]`.
pub(super) fn clock_ticks(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Further digits have no place in a tick.
    let fraction = fraction
        .get(..7)
        .filter(|_| fraction.bytes().skip(7).all(|it| it == b'0'))
        .or((fraction.len() < 7).then_some(fraction))?;
    let scale = 10_i64.pow(7 - u32::try_from(fraction.len()).ok()?);
    let seconds = hour * 3600 + minute * 60 + second;
    Some(seconds * TICKS_PER_SECOND + digits(fraction, 7)? * scale)
}

/// A number of one to `most` digits.
pub(super) fn digits(text: &str, most: usize) -> Option<i64> {
    let valid = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| text.parse().ok())?
}

/// A [`Duration`] as a [`TimeSpan`]. A negative one is an error when it is read.
pub mod time_span {
    use serde::{de::Error as _, ser::Error as _};

    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, TimeSpan};

    /// Writes the duration. Parts of 100 ns are cut off.
    ///
    /// # Errors
    /// When the duration is longer than 10,675,199 days.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        TimeSpan::try_from(*duration).map_err(S::Error::custom)?.serialize(serializer)
    }

    /// Reads a duration.
    ///
    /// # Errors
    /// When the value is not a `TimeSpan`, or is negative.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        TimeSpan::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}
