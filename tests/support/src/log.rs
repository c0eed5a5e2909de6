//! The log lines of a test.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan, util::SubscriberInitExt as _};

use crate::output;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        output::also(bytes);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns all log lines that this thread writes while `work` runs, in the format of
/// `tracing_subscriber::fmt`, with a line for the end of each span.
pub async fn logged(level: LevelFilter, work: impl Future) -> String {
    log_of(level, FmtSpan::CLOSE, work).await
}

/// Like [`logged`], with lines for these parts of spans.
pub async fn log_of(level: LevelFilter, spans: FmtSpan, work: impl Future) -> String {
    output::record();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_max_level(level)
        .with_span_events(spans)
        .with_writer(move || writer.clone())
        .finish();
    {
        let _guard = subscriber.set_default();
        work.await;
    }
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}
