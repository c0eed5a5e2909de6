//! Captures the log of the app during calls and negotiate requests.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use parking_lot::Mutex;
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

/// The id of spans that only the test receives. Subscribers count up from 1, so the id is not in use.
const UNHEARD: u64 = u64::MAX;

/// A log event of the app during a call or a negotiate request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// `ERROR`, `WARN`, `INFO` or `DEBUG`.
    pub level: &'static str,
    /// The message.
    pub message: String,
    /// The fields by name: `cause`, `error_id`, `filter`, and the fields of the hub's own events.
    pub fields: Vec<(&'static str, String)>,
}

impl LogLine {
    /// The field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(held, _)| *held == name).map(|(_, value)| value.as_str())
    }

    /// Whether the text occurs in the message or in a field.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.to_string().contains(text)
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.level, self.message)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// The lines so far, shared with the test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<LogLine>>>);

impl Log {
    pub(crate) fn all(&self) -> Vec<LogLine> {
        self.0.lock().clone()
    }

    /// A subscriber that records events here and forwards them to the current subscriber.
    pub(crate) fn listener(&self) -> Dispatch {
        let next = tracing::dispatcher::get_default(Clone::clone);
        Dispatch::new(Listener { log: self.clone(), next })
    }
}

struct Listener {
    log: Log,
    next: Dispatch,
}

impl Listener {
    /// The next subscriber, if it has this span.
    fn next_for(&self, span: &Id) -> Option<&Dispatch> {
        (span.into_u64() != UNHEARD).then_some(&self.next)
    }
}

impl Subscriber for Listener {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG || self.next.enabled(metadata)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        if self.next.enabled(span.metadata()) {
            return self.next.new_span(span);
        }
        Id::from_u64(UNHEARD)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(next) = self.next_for(span) {
            next.record(span, values);
        }
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        if let (Some(next), Some(_)) = (self.next_for(span), self.next_for(follows)) {
            next.record_follows_from(span, follows);
        }
    }

    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() <= Level::DEBUG {
            let mut line = Line::default();
            event.record(&mut line);
            let level = event.metadata().level().as_str();
            self.log.0.lock().push(LogLine { level, message: line.message, fields: line.fields });
        }
        if self.next.enabled(event.metadata()) {
            self.next.event(event);
        }
    }

    fn enter(&self, span: &Id) {
        if let Some(next) = self.next_for(span) {
            next.enter(span);
        }
    }

    fn exit(&self, span: &Id) {
        if let Some(next) = self.next_for(span) {
            next.exit(span);
        }
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.next_for(span).map_or_else(|| span.clone(), |next| next.clone_span(span))
    }

    fn try_close(&self, span: Id) -> bool {
        self.next_for(&span).is_some_and(|next| next.try_close(span.clone()))
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Line {
    fn add(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.fields.push((name, value)),
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a String fails only when formatting the value fails; the text so far is kept.
        let _ = write!(text, "{value:?}");
        self.add(field, text);
    }
}
