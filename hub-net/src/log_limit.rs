//! Limits log lines that a peer can cause, in number and length.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// The time to which the number of lines applies.
const INTERVAL: Duration = Duration::from_secs(10);
const LINES: u32 = 20;
/// The maximum length in bytes of a value from a peer in a log line.
const SHOWN: usize = 200;

/// Limits the lines of each kind within 10 s. Further lines are counted; the next line of the kind has their
/// number.
#[derive(Debug)]
pub struct LogLimit {
    lines: u32,
    kinds: Mutex<HashMap<&'static str, Window>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    written: u32,
    omitted: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new(LINES)
    }
}

impl LogLimit {
    /// Allows this number of lines of each kind within 10 s. The default is 20.
    #[must_use]
    pub fn new(lines: u32) -> Self {
        Self { lines, kinds: Mutex::default() }
    }

    /// Calls `write` unless the limit of this kind is reached. `write` receives the number of lines that were
    /// omitted since the last one, or `None` if there were none.
    pub fn line(&self, kind: &'static str, write: impl FnOnce(Option<u64>)) {
        if let Some(omitted) = self.admit(kind) {
            write((omitted > 0).then_some(omitted));
        }
    }

    fn admit(&self, kind: &'static str) -> Option<u64> {
        let (mut kinds, now) = (self.kinds.lock(), Instant::now());
        let window = kinds.entry(kind).or_insert(Window { since: now, written: 0, omitted: 0 });
        if now.duration_since(window.since) >= INTERVAL {
            (window.since, window.written) = (now, 0);
        }
        if window.written >= self.lines {
            window.omitted += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.omitted))
    }
}

/// A value from a peer for a log line: its first 200 bytes, cut at a character boundary.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN {
        return text.into();
    }
    format!("{}…", &text[..text.floor_char_boundary(SHOWN)]).into()
}

/// Like [`shown`], for bytes that need not be UTF-8.
#[must_use]
pub fn shown_bytes(bytes: &[u8]) -> String {
    // A character has at most 4 bytes.
    let start = bytes.get(..SHOWN + 4).unwrap_or(bytes);
    shown(&String::from_utf8_lossy(start)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limit: &LogLimit, kind: &'static str, times: u32) -> Vec<Option<u64>> {
        let mut lines = Vec::new();
        (0..times).for_each(|_| limit.line(kind, |omitted| lines.push(omitted)));
        lines
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_becomes_a_few_lines_and_a_count() {
        let limit = LogLimit::new(2);

        assert_eq!(written(&limit, "a", 2000), [None, None]);
        assert_eq!(written(&limit, "b", 1), [None]);
        tokio::time::advance(INTERVAL).await;
        assert_eq!(written(&limit, "a", 3), [Some(1998), None]);
        assert_eq!(written(&limit, "b", 1), [None]);
    }

    #[test]
    fn of_a_value_200_bytes_are_shown() {
        assert_eq!(shown("größe"), "größe");
        assert_eq!(shown(&"a".repeat(200)), "a".repeat(200));
        assert_eq!(shown(&"a".repeat(30_000)), format!("{}…", "a".repeat(200)));
        let cut = format!("{}ö", "a".repeat(199));
        assert_eq!(shown(&cut), format!("{}…", "a".repeat(199)));

        assert_eq!(shown_bytes("größe".as_bytes()), "größe");
        assert_eq!(shown_bytes(b"\xffa"), "\u{fffd}a");
        assert_eq!(shown_bytes(&[b'a'; 201]), format!("{}…", "a".repeat(200)));
        assert_eq!(shown_bytes(cut.as_bytes()), format!("{}…", "a".repeat(199)));
    }
}
