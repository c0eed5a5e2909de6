//! Timestamps: the extension type -1 of MessagePack in its three sizes, as RFC 3339 text.

/// The type of the extension.
pub(super) const TIMESTAMP: i8 = -1;

const DAY: i64 = 86_400;
/// `0000-01-01` and `9999-12-31` in days since 1970.
const DAYS: std::ops::RangeInclusive<i64> = -719_528..=2_932_896;

/// The time in RFC 3339, in UTC. `None` when it is malformed or its year has more than four digits.
pub(super) fn to_rfc3339(data: &[u8]) -> Option<String> {
    let (seconds, nanoseconds) = parts(data)?;
    let days = seconds.div_euclid(DAY);
    if nanoseconds > 999_999_999 || !DAYS.contains(&days) {
        return None;
    }
    let (year, month, day) = date(days);
    let time = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let fraction = fraction(nanoseconds);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"))
}

/// Seconds since 1970 and nanoseconds.
fn parts(data: &[u8]) -> Option<(i64, u32)> {
    /// The seconds: the low 34 bits of the eight-byte form.
    const SECONDS: u64 = (1 << 34) - 1;
    if let Ok(seconds) = data.try_into() {
        return Some((u32::from_be_bytes(seconds).into(), 0));
    }
    if let Ok(both) = data.try_into() {
        let both = u64::from_be_bytes(both);
        return Some((i64::try_from(both & SECONDS).ok()?, u32::try_from(both >> 34).ok()?));
    }
    let (nanoseconds, seconds) = data.split_first_chunk()?;
    let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
    Some((seconds, u32::from_be_bytes(*nanoseconds)))
}

/// Three, six or nine digits, without trailing groups of zeros.
fn fraction(nanoseconds: u32) -> String {
    match nanoseconds {
        0 => String::new(),
        _ if nanoseconds.is_multiple_of(1_000_000) => format!(".{:03}", nanoseconds / 1_000_000),
        _ if nanoseconds.is_multiple_of(1000) => format!(".{:06}", nanoseconds / 1000),
        _ => format!(".{nanoseconds:09}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn large(seconds: i64, nanoseconds: u32) -> Option<String> {
        to_rfc3339(&[&nanoseconds.to_be_bytes()[..], &seconds.to_be_bytes()].concat())
    }

    #[test]
    fn all_three_sizes_are_read() {
        let small = to_rfc3339(&1_700_000_000_u32.to_be_bytes()).unwrap();
        let middle = (123_000_000_u64 << 34) | 1_700_000_000;
        let middle = to_rfc3339(&middle.to_be_bytes()).unwrap();

        assert_eq!(small, "2023-11-14T22:13:20Z");
        assert_eq!(middle, "2023-11-14T22:13:20.123Z");
        assert_eq!(large(-1, 1).unwrap(), "1969-12-31T23:59:59.000000001Z");
        assert_eq!(large(0, 1000).unwrap(), "1970-01-01T00:00:00.000001Z");
    }

    #[test]
    fn dates_are_correct_over_the_whole_calendar() {
        assert_eq!(large(-62_167_219_200, 0).unwrap(), "0000-01-01T00:00:00Z");
        assert_eq!(large(-62_162_035_201, 0).unwrap(), "0000-02-29T23:59:59Z");
        assert_eq!(large(951_782_400, 0).unwrap(), "2000-02-29T00:00:00Z");
        assert_eq!(large(4_107_542_400, 0).unwrap(), "2100-03-01T00:00:00Z");
        assert_eq!(large(253_402_300_799, 0).unwrap(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn invalid_times_are_refused() {
        assert_eq!(large(253_402_300_800, 0), None);
        assert_eq!(large(-62_167_219_201, 0), None);
        assert_eq!(large(i64::MIN, 0), None);
        assert_eq!(large(0, 1_000_000_000), None);
        assert_eq!(to_rfc3339(&[0; 3]), None);
        assert_eq!(to_rfc3339(&[]), None);
        assert_eq!(to_rfc3339(&[0; 13]), None);
    }
}
