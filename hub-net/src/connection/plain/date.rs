//! The header `date` (RFC 9110 §5.6.7).

use std::{
    cell::RefCell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use httpdate::fmt_http_date;

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

thread_local! {
    /// The last second that was written, and its text.
    static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Appends the current date.
pub(super) fn write(out: &mut Vec<u8>) {
    // A clock before 1970 or after the year 9999 has no date.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = since.as_secs().min(LAST_SECOND);
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            (*last, *text) = (second, fmt_http_date(UNIX_EPOCH + Duration::from_secs(second)));
        }
        out.extend_from_slice(text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_date_is_written() {
        let before = SystemTime::now();
        let mut written = Vec::new();

        write(&mut written);

        let texts = [before, SystemTime::now()].map(fmt_http_date);
        assert!(texts.contains(&String::from_utf8(written).unwrap()));
    }

    #[test]
    fn a_date_of_an_earlier_second_is_not_written_again() {
        LAST.set((0, fmt_http_date(UNIX_EPOCH)));
        let mut written = Vec::new();

        write(&mut written);

        assert_ne!(written, fmt_http_date(UNIX_EPOCH).as_bytes());
    }
}
