//! The trace context of a call (W3C Trace Context, <https://www.w3.org/TR/trace-context/>).

/// The header with trace id and parent id.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// The header with data of tracing systems.
pub(crate) const TRACESTATE: &str = "tracestate";
/// The length of a `traceparent` of version 00.
const PARENT_LENGTH: usize = 55;
/// Longer states are dropped. Receivers must pass on at least this many characters (§3.3.1.5).
const MAX_STATE_LENGTH: usize = 512;
const MAX_STATE_MEMBERS: usize = 32;
const MAX_KEY_LENGTH: usize = 256;
const MAX_VALUE_LENGTH: usize = 256;

/// The trace that a call belongs to: the values of the headers `traceparent` and `tracestate`. Both are valid.
///
/// ```
/// use hub_core::TraceContext;
///
/// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = TraceContext::new(parent, Some("vendor=1")).unwrap();
/// assert_eq!(context.traceparent(), parent);
/// assert_eq!(context.tracestate(), Some("vendor=1"));
/// assert!(TraceContext::new("00-0-0-01", None).is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    parent: Box<str>,
    state: Option<Box<str>>,
}

impl TraceContext {
    /// `None` if `traceparent` is not valid. A `tracestate` that is not valid, or that has more than 512 characters, is
    /// dropped. A `traceparent` of a later version than 00 becomes one of version 00 (§4.3).
    #[must_use]
    pub fn new(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let parent = parent(traceparent)?;
        let state = tracestate.map(str::trim).filter(|state| is_state(state)).map(Box::from);
        Some(Self { parent, state })
    }

    /// The value of `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> &str {
        &self.parent
    }

    /// The value of `tracestate`.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The memory that the context uses.
    #[doc(hidden)]
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.parent.len() + self.state.as_ref().map_or(0, |state| state.len())
    }
}

/// The `traceparent` in version 00.
fn parent(text: &str) -> Option<Box<str>> {
    let (known, more) = text.trim().split_at_checked(PARENT_LENGTH)?;
    let mut fields = known.split('-');
    let [version, trace, parent, flags] = [(); 4].map(|()| fields.next().unwrap_or_default());
    let has_length = |field: &str, length| field.len() == length && field.bytes().all(is_hex);
    let is_id =
        |field: &str, length| has_length(field, length) && field.bytes().any(|digit| digit != b'0');
    let is_complete = match version {
        "00" => more.is_empty(),
        // Later versions may append fields.
        _ => more.is_empty() || more.starts_with('-'),
    };
    let is_valid = fields.next().is_none()
        && has_length(version, 2)
        && version != "ff"
        && is_id(trace, 32)
        && is_id(parent, 16)
        && has_length(flags, 2)
        && is_complete;
    match version {
        _ if !is_valid => None,
        "00" => Some(known.into()),
        _ => {
            // Version 00 knows one flag.
            let is_sampled = flags.bytes().last().is_some_and(|digit| b"13579bdf".contains(&digit));
            let flags = if is_sampled { "01" } else { "00" };
            Some(format!("00-{trace}-{parent}-{flags}").into())
        }
    }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Whether the text is a list of members `key=value` with different keys (§3.3.1).
fn is_state(text: &str) -> bool {
    if text.is_empty() || text.len() > MAX_STATE_LENGTH {
        return false;
    }
    let mut keys = Vec::new();
    for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])) {
        // Empty members are allowed.
        if member.is_empty() {
            continue;
        }
        let Some((key, value)) = member.split_once('=') else { return false };
        if !is_key(key) || !is_value(value) || keys.contains(&key) {
            return false;
        }
        keys.push(key);
    }
    !keys.is_empty() && keys.len() <= MAX_STATE_MEMBERS
}

fn is_key(key: &str) -> bool {
    let starts = key.bytes().next().is_some_and(|first| matches!(first, b'a'..=b'z' | b'0'..=b'9'));
    let fits = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let ats = key.bytes().filter(|byte| *byte == b'@').count();
    starts && key.len() <= MAX_KEY_LENGTH && key.bytes().all(fits) && ats <= 1
}

fn is_value(value: &str) -> bool {
    let fits = |byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    !value.is_empty()
        && value.len() <= MAX_VALUE_LENGTH
        && value.bytes().all(fits)
        && !value.ends_with(' ')
}

/// The headers of a message that make a [`TraceContext`]. All others are dropped: some clients send tokens in them.
#[derive(Debug, Default)]
pub(crate) struct TraceHeaders {
    parent: Option<String>,
    state: Option<String>,
}

impl TraceHeaders {
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        let kept = match name {
            _ if name.eq_ignore_ascii_case(TRACEPARENT) => &mut self.parent,
            _ if name.eq_ignore_ascii_case(TRACESTATE) => &mut self.state,
            _ => return,
        };
        *kept = Some(value.to_owned());
    }

    pub(crate) fn context(self) -> Option<Box<TraceContext>> {
        TraceContext::new(&self.parent?, self.state.as_deref()).map(Box::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_of_version_00_is_kept_as_it_is() {
        for flags in ["00", "01", "ff"] {
            let text = format!("{}{flags}", &PARENT[..53]);
            let context = TraceContext::new(&text, None).unwrap();
            assert_eq!((context.traceparent(), context.tracestate()), (&*text, None));
        }
        assert_eq!(TraceContext::new(&format!(" {PARENT}\t"), None).unwrap().traceparent(), PARENT);
    }

    #[test]
    fn a_traceparent_of_a_later_version_becomes_one_of_version_00() {
        let parent = |version: &str, flags: &str, more: &str| {
            let text = format!("{version}{}{flags}{more}", &PARENT[2..53]);
            TraceContext::new(&text, None).map(|it| it.traceparent()[53..].to_owned())
        };

        assert_eq!(parent("01", "03", "").as_deref(), Some("01"));
        assert_eq!(parent("cc", "02", "-more").as_deref(), Some("00"));
        assert_eq!(parent("cc", "02", "more"), None);
        assert_eq!(parent("ff", "01", ""), None);
        let later = PARENT.replacen("00", "01", 1);
        assert_eq!(TraceContext::new(&later, None).unwrap().traceparent(), PARENT);
    }

    #[test]
    fn other_texts_are_no_traceparent() {
        for text in [
            "",
            "00",
            &PARENT[..54],
            &format!("{PARENT}-"),
            &format!("{PARENT}-00"),
            &PARENT.to_uppercase(),
            &PARENT.replace('-', "_"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902é-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx: y",
        ] {
            assert_eq!(TraceContext::new(text, None), None, "{text}");
        }
    }

    #[test]
    fn a_tracestate_is_kept_if_it_is_valid_and_has_512_characters_at_most() {
        let state = |text: &str| {
            let context = TraceContext::new(PARENT, Some(text)).unwrap();
            context.tracestate().map(str::to_owned)
        };
        let members =
            |count| (0..count).map(|key| format!("k{key}=v")).collect::<Vec<_>>().join(",");
        let long = |value| format!("a={},b={}", "x".repeat(256), "y".repeat(value));

        for valid in [
            "rojo=00f067aa0ba902b7",
            "rojo=1,congo=t61rcWkgMzE",
            "fw529a3039@dt=FfAb*,a=1 ; 2",
            "0a=1, b=2 ,,\tc_-*/=3",
            &members(32),
            &long(251),
        ] {
            assert_eq!(state(valid).as_deref(), Some(valid), "{valid}");
        }
        for invalid in [
            "",
            ",",
            "a",
            "a=",
            "=1",
            "A=1",
            "a=1,a=2",
            "a=1\r\nb: c",
            "a=é",
            "a=b=c",
            "a@b@c=1",
            &members(33),
            &long(252),
            &format!("a={}", "x".repeat(257)),
            &format!("{}=1", "a".repeat(257)),
        ] {
            assert_eq!(state(invalid), None, "{invalid}");
        }
        assert_eq!(long(251).len(), 512);
    }
}
