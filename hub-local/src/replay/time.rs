//! The times of events: RFC 3339 in UTC.

/// Microseconds since 1970 of a time such as `2026-11-29T15:00:00.000001Z`.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = date.split('-').map(str::parse::<u64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = clock.split(':').map(str::parse::<u64>);
    let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let is_valid = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61
        && fraction.len() <= 6;
    if !is_valid {
        return None;
    }
    let digits = u32::try_from(fraction.len()).ok()?;
    let micros = fraction.parse::<u64>().ok()? * 10_u64.pow(6 - digits);
    // Days of the proleptic Gregorian calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let seconds = (days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(seconds * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_microseconds_since_1970() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:01.5Z", 1_500_000),
            ("2000-02-29T00:00:00.000001Z", 951_782_400_000_001),
            ("2026-11-29T15:00:00.123456Z", 1_795_964_400_123_456),
        ] {
            assert_eq!(parse(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "2026-11-29",
            "2026-11-29T15:00:00",
            "2026-13-29T15:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-29T15:00:00.1234567Z",
            "2026-11-29T15:00:00.-1Z",
            "99999999999-11-29T15:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
