//! Parsers of setting values. Each error lists the accepted form.

use std::time::Duration;

use http::Uri;

/// A .NET `TimeSpan`: `[days.]hours:minutes:seconds[.fraction]`.
pub(crate) fn time_span(text: &str) -> Result<Duration, &'static str> {
    parse_time_span(text.trim()).filter(|span| !span.is_zero()).ok_or(
        "is not a duration: it must be like 00:01:40 (hours, minutes, seconds) or 00:00:00.800",
    )
}

fn parse_time_span(text: &str) -> Option<Duration> {
    let (clock, fraction) = match text.rsplit_once('.') {
        // A dot before the first colon separates days, a dot after the last colon the fraction.
        Some((clock, fraction)) if !fraction.contains(':') && clock.contains(':') => {
            (clock, fraction)
        }
        _ => (text, ""),
    };
    let (days, clock) = clock.split_once('.').unwrap_or(("0", clock));
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (days, hours) = (number(days, 9999)?, number(hours, 23)?);
    let (minutes, seconds) = (number(minutes, 59)?, number(seconds, 59)?);
    if fraction.len() > 9 {
        return None;
    }
    let nanoseconds = match fraction {
        "" => 0,
        digits => number(&format!("{digits:0<9}"), 999_999_999)?,
    };
    let whole = Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds);
    Some(whole + Duration::from_nanos(nanoseconds))
}

fn number(text: &str, most: u64) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| digits && *value <= most)
}

/// An integer from 0 to `most`.
pub(crate) fn count(text: &str, most: u32) -> Result<u32, String> {
    let parsed = number(text.trim(), most.into()).and_then(|value| u32::try_from(value).ok());
    parsed.ok_or_else(|| format!("is not a number from 0 to {most}"))
}

/// An absolute http or https URI, without a trailing slash.
pub(crate) fn base_uri(text: &str) -> Option<Uri> {
    let uri: Uri = text.trim().trim_end_matches('/').parse().ok()?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    (known && uri.query().is_none() && uri.host().is_some_and(|host| !host.is_empty()))
        .then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotnet_time_spans_are_parsed() {
        assert_eq!(time_span("00:01:40"), Ok(Duration::from_secs(100)));
        assert_eq!(time_span("00:00:00.8000000"), Ok(Duration::from_millis(800)));
        assert_eq!(time_span(" 1.02:00:00 "), Ok(Duration::from_secs(26 * 3600)));
        assert_eq!(time_span("1.00:00:01.5"), Ok(Duration::from_millis(86_401_500)));
    }

    #[test]
    fn invalid_time_spans_are_refused() {
        // .NET parses a plain number as days, which is rarely the intention.
        for text in
            ["100", "", "00:00:00", "24:00:00", "00:60:00", "1:2", "-00:00:01", "0:0:0.+5", "a:b:c"]
        {
            assert!(time_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_base_uri_has_a_scheme_a_host_and_no_query() {
        assert_eq!(base_uri("https://x.net/c/").unwrap(), "https://x.net/c");
        for text in ["x.net", "ftp://x.net", "https://", "https://x.net?a=b", ""] {
            assert!(base_uri(text).is_none(), "{text}");
        }
    }
}
