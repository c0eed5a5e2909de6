//! The header `date` (RFC 9110 §5.6.7).

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use httpdate::fmt_http_date;

thread_local! {
    /// The last second that was written, and its text.
    static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Appends the current date.
pub(super) fn write(out: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            (*last, *text) = (second, fmt_http_date(now));
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
