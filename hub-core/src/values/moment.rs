//! Times: the extension type -1 of MessagePack in its three sizes, and RFC 3339 text.

const DAY: i64 = 86_400;
/// `0000-01-01` and `9999-12-31` in days since 1970.
const DAYS: std::ops::RangeInclusive<i64> = -719_528..=2_932_896;
/// The maximum offset of a zone in seconds.
const MAX_OFFSET: i32 = 24 * 3600 - 1;

/// A time with nanoseconds, of a year with four digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// What a clock in the zone shows, as seconds since 1970.
    clock: i64,
    nanoseconds: u32,
    /// The offset of the zone from UTC in seconds. `None` without a zone.
    offset: Option<i32>,
}

impl Moment {
    fn new(clock: i64, nanoseconds: u32, offset: Option<i32>) -> Option<Self> {
        let is_valid = nanoseconds < 1_000_000_000 && DAYS.contains(&clock.div_euclid(DAY));
        is_valid.then_some(Self { clock, nanoseconds, offset })
    }

    /// Reads the data of the extension. `None` when it is malformed or its year has more than four digits.
    #[cfg(feature = "msgpack")]
    pub(crate) fn from_extension(data: &[u8]) -> Option<Self> {
        /// The seconds: the low 34 bits of the eight-byte form.
        const SECONDS: u64 = (1 << 34) - 1;
        let (seconds, nanoseconds) = if let Ok(seconds) = data.try_into() {
            (u32::from_be_bytes(seconds).into(), 0)
        } else if let Ok(both) = data.try_into() {
            let both = u64::from_be_bytes(both);
            (i64::try_from(both & SECONDS).ok()?, u32::try_from(both >> 34).ok()?)
        } else {
            let (nanoseconds, seconds) = data.split_first_chunk()?;
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(*nanoseconds))
        };
        Self::new(seconds, nanoseconds, Some(0))
    }

    /// The data of the extension in its shortest size. `None` without a zone.
    #[cfg(feature = "msgpack")]
    pub(crate) fn to_extension(self) -> Option<Vec<u8>> {
        let seconds = self.utc_seconds()?;
        Some(match (u32::try_from(seconds), u64::try_from(seconds)) {
            (Ok(seconds), _) if self.nanoseconds == 0 => seconds.to_be_bytes().to_vec(),
            (_, Ok(seconds)) if seconds >> 34 == 0 => {
                ((u64::from(self.nanoseconds) << 34) | seconds).to_be_bytes().to_vec()
            }
            _ => [&self.nanoseconds.to_be_bytes()[..], &seconds.to_be_bytes()].concat(),
        })
    }

    /// Reads RFC 3339 text, also without a zone, with a blank in place of `T` or before the zone, with seconds in
    /// the zone, and with the name of the zone in brackets (RFC 9557).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let year = number(&mut rest, 4)?;
        let month = number(after(&mut rest, "-")?, 2)?;
        let day = number(after(&mut rest, "-")?, 2)?;
        if !rest.starts_with(['T', 't', ' ']) {
            return None;
        }
        rest = &rest[1..];
        let hour = number(&mut rest, 2)?;
        let minute = number(after(&mut rest, ":")?, 2)?;
        let second = number(after(&mut rest, ":")?, 2)?;
        let nanoseconds = if after(&mut rest, ".").is_some() { fraction(&mut rest)? } else { 0 };
        let offset = offset(rest)?;
        let days = days(year, month, day);
        if hour > 23 || minute > 59 || second > 59 || date(days) != (year, month, day) {
            return None;
        }
        Self::new(days * DAY + hour * 3600 + minute * 60 + second, nanoseconds, offset)
    }

    /// The same clock time in another zone. The .NET client writes a `DateTimeOffset` as the clock's time and the minutes
    /// of the zone (MessagePack-CSharp, `NativeDateTimeFormatter.cs`).
    pub(crate) fn in_zone(self, minutes: i64) -> Option<Self> {
        let offset = i32::try_from(minutes.checked_mul(60)?).ok()?;
        (self.offset == Some(0) && offset.abs() <= MAX_OFFSET)
            .then_some(Self { offset: Some(offset), ..self })
    }

    pub(crate) fn with_offset(self, offset: Option<i32>) -> Self {
        Self { offset, ..self }
    }

    pub(crate) fn offset(self) -> Option<i32> {
        self.offset
    }

    pub(crate) fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Seconds since 1970 in UTC. `None` without a zone.
    pub(crate) fn utc_seconds(self) -> Option<i64> {
        Some(self.clock - i64::from(self.offset?))
    }

    /// A time since 1970 in UTC.
    pub(crate) fn from_utc(seconds: i64, nanoseconds: u32) -> Option<Self> {
        Self::new(seconds, nanoseconds, Some(0))
    }

    /// A time from the numbers that the crate `time` writes: year, day of the year, hour, minute, second, nanosecond.
    pub(crate) fn from_numbers(numbers: &[i64], offset: Option<i32>) -> Option<Self> {
        let &[year, ordinal, hour, minute, second, nanosecond] = numbers else { return None };
        let day = days(year, 1, 1).checked_add(ordinal.checked_sub(1)?)?;
        let clock = day.checked_mul(DAY)?.checked_add(hour * 3600 + minute * 60 + second)?;
        Self::new(clock, u32::try_from(nanosecond).ok()?, offset)
    }

    /// Year, day of the year, hour, minute, second, nanosecond.
    pub(crate) fn to_numbers(self) -> [i64; 6] {
        let (day, time) = (self.clock.div_euclid(DAY), self.clock.rem_euclid(DAY));
        let (year, ..) = date(day);
        let ordinal = day - days(year, 1, 1) + 1;
        [year, ordinal, time / 3600, time / 60 % 60, time % 60, self.nanoseconds.into()]
    }

    /// Whether the clock shows midnight.
    pub(crate) fn is_midnight(self) -> bool {
        self.nanoseconds == 0 && self.clock.rem_euclid(DAY) == 0
    }

    /// The date, as in `2026-11-28`.
    pub(crate) fn day(self) -> String {
        let (year, month, day) = date(self.clock.div_euclid(DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// RFC 3339 text, without a zone if the time has none.
    pub(crate) fn text(self) -> String {
        let time = self.clock.rem_euclid(DAY);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let (day, zone) = (self.day(), self.zone());
        // Three, six or nine digits, without trailing groups of zeros.
        let fraction = match self.nanoseconds {
            0 => String::new(),
            it if it.is_multiple_of(1_000_000) => format!(".{:03}", it / 1_000_000),
            it if it.is_multiple_of(1000) => format!(".{:06}", it / 1000),
            it => format!(".{it:09}"),
        };
        format!("{day}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
    }

    /// The zone, as in `Z` or `+02:00`.
    pub(crate) fn zone(self) -> String {
        match self.offset {
            None => String::new(),
            Some(0) => "Z".to_owned(),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                let minutes = offset.unsigned_abs() / 60;
                format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// The zone at the end of a text: `Some(None)` if there is none.
fn offset(text: &str) -> Option<Option<i32>> {
    let text = match text.split_once('[') {
        Some((text, name)) if name.ends_with(']') => text,
        Some(_) => return None,
        None => text,
    };
    let text = text.trim_start();
    let sign = match text.as_bytes() {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let mut rest = &text[1..];
    let hours = number(&mut rest, 2)?;
    let minutes = number(after(&mut rest, ":")?, 2)?;
    let seconds = if after(&mut rest, ":").is_some() { number(&mut rest, 2)? } else { 0 };
    // RFC 3339 has no seconds in an offset.
    if hours > 23 || minutes > 59 || seconds != 0 || !rest.is_empty() {
        return None;
    }
    i32::try_from(hours * 3600 + minutes * 60).ok().map(|offset| Some(sign * offset))
}

/// Up to nine digits. Further digits must be zero.
fn fraction(text: &mut &str) -> Option<u32> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let (kept, cut) = digits.split_at(digits.len().min(9));
    if kept.is_empty() || cut.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let scale = 10_u32.pow(9 - u32::try_from(kept.len()).ok()?);
    kept.parse::<u32>().ok().map(|value| value * scale)
}

fn number(text: &mut &str, digits: usize) -> Option<i64> {
    let (number, rest) = text.split_at_checked(digits)?;
    *text = rest;
    number.bytes().all(|digit| digit.is_ascii_digit()).then(|| number.parse().ok())?
}

fn after<'t, 'a>(text: &'t mut &'a str, prefix: &str) -> Option<&'t mut &'a str> {
    *text = text.strip_prefix(prefix)?;
    Some(text)
}

/// The Gregorian year, month and day of a number of days since 1970.
fn date(days: i64) -> (i64, i64, i64) {
    // Counting from 1 March of year 0 puts leap days at the end of their cycles.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The number of days since 1970, the inverse of [`date`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "msgpack")]
    fn large(seconds: i64, nanoseconds: u32) -> Option<String> {
        let data = [&nanoseconds.to_be_bytes()[..], &seconds.to_be_bytes()].concat();
        Moment::from_extension(&data).map(Moment::text)
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn all_three_sizes_are_read_and_written() {
        for (hex, text) in [
            (&[0x65, 0x53, 0xF1, 0][..], "2023-11-14T22:13:20Z"),
            (&[0x1D, 0x53, 0x53, 0x00, 0x65, 0x53, 0xF1, 0x00], "2023-11-14T22:13:20.123Z"),
            (
                &[0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255],
                "1969-12-31T23:59:59.000000001Z",
            ),
            (&[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0], "2514-05-30T01:53:04Z"),
        ] {
            let moment = Moment::from_extension(hex).unwrap();

            assert_eq!(moment.text(), text);
            assert_eq!(Moment::parse(text), Some(moment));
            assert_eq!(moment.to_extension().unwrap(), hex);
        }
        assert_eq!(large(0, 1000).unwrap(), "1970-01-01T00:00:00.000001Z");
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn dates_are_correct_over_the_whole_calendar() {
        for (seconds, text) in [
            (-62_167_219_200, "0000-01-01T00:00:00Z"),
            (-62_162_035_201, "0000-02-29T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(large(seconds, 0).unwrap(), text);
            assert_eq!(Moment::parse(text).unwrap().utc_seconds(), Some(seconds));
        }
    }

    #[test]
    fn every_day_has_one_date_and_one_number() {
        for day in DAYS {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[cfg(feature = "msgpack")]
    #[test]
    fn invalid_times_are_refused() {
        assert_eq!(large(253_402_300_800, 0), None);
        assert_eq!(large(-62_167_219_201, 0), None);
        assert_eq!(large(i64::MIN, 0), None);
        assert_eq!(large(0, 1_000_000_000), None);
        for length in [0, 3, 13] {
            assert_eq!(Moment::from_extension(&vec![0; length]), None);
        }
    }

    #[test]
    fn texts_of_all_three_crates_are_read() {
        let text = |text| Moment::parse(text).map(Moment::text);

        assert_eq!(
            text("2026-11-28T12:00:00.1234567+02:00").unwrap(),
            "2026-11-28T12:00:00.123456700+02:00"
        );
        assert_eq!(text("2026-11-28 12:00:00.0 -01:30:00").unwrap(), "2026-11-28T12:00:00-01:30");
        assert_eq!(
            text("2026-11-28T12:00:00+01:00[Europe/Berlin]").unwrap(),
            "2026-11-28T12:00:00+01:00"
        );
        assert_eq!(text("2026-11-28T12:00:00").unwrap(), "2026-11-28T12:00:00");
        for bad in [
            "",
            "2026",
            "2026-11-28",
            "2026-11-28T12:00",
            "2026-11-31T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-11-28T24:00:00Z",
            "2026-11-28T12:00:00.Z",
            "2026-11-28T12:00:00.0000000001Z",
            "2026-11-28T12:00:00+2:00",
            "2026-11-28T12:00:00Z ",
            "2026-11-28T12:00:00Z[x",
            "+026-11-28T12:00:00Z",
            "2026-11-28é12:00:00Z",
            "2026-11-28T12:00:00é",
        ] {
            assert_eq!(text(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_numbers_of_the_crate_time_are_read_as_they_are_written() {
        let leap = Moment::parse("2024-12-31T23:59:58.000000007+02:00").unwrap();

        assert_eq!(leap.to_numbers(), [2024, 366, 23, 59, 58, 7]);
        assert_eq!(Moment::from_numbers(&leap.to_numbers(), Some(7200)), Some(leap));
    }
}
