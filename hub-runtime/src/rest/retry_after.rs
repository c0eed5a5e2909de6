//! The header `Retry-After`, in seconds or as a date (RFC 9110 §10.2.3).

use std::time::Duration;

use http::{Response, header};

/// The time to wait; `None` if the header is missing or malformed. `now` is in seconds since 1970.
pub(super) fn retry_after<B>(answer: &Response<B>, now: u64) -> Option<Duration> {
    let text = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse().ok();
    let seconds = seconds.or_else(|| Some(date(text)?.saturating_sub(now)));
    seconds.map(Duration::from_secs)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970: the only form that servers may generate
/// (RFC 9110 §5.6.7).
fn date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_weekday, text) = text.split_once(", ")?;
    let mut parts = text.split(' ');
    let day: u64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = parts.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = parts.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if parts.next()? != "GMT" || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60
    {
        return None;
    }
    // If years begin in March, the leap day is the last day of a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5;
    let days = (days_before + day - 1).checked_sub(719_468)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(value: &str, now: u64) -> Option<u64> {
        let answer = Response::builder().header("retry-after", value).body(()).unwrap();
        retry_after(&answer, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(seconds(" 120 ", 0), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777 - 30), Some(30));
        assert_eq!(seconds("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199), Some(0));
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT", 5), Some(0));
    }

    #[test]
    fn other_values_of_retry_after_are_ignored() {
        for value in ["", "-1", "1.5", "soon", "Sun, 06 Nov 1994", "Sun, 06 Xyz 1994 08:49:37 GMT"]
        {
            assert_eq!(seconds(value, 0), None, "{value}");
        }
    }
}
