//! Recordings: a file that gets each event of the service as a line.

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

/// The version of recordings that this version writes and reads.
pub(crate) const VERSION: u64 = 1;

/// Receives the events of a service, each as JSON without line breaks.
#[doc(hidden)]
pub trait EventSink: Send + Sync + 'static {
    /// Whether the sink takes events now.
    fn is_open(&self) -> bool {
        true
    }

    /// An event. It must not block for long: the service waits.
    fn event(&self, event: &str);
}

/// A file to which a service writes its events, one JSON object per line. `hub-local replay` and the test hub of
/// `hub-runtime` replay it.
///
/// The file contains the arguments and results of calls, but no access key, token, signature or seal. Each line is
/// written at once, so that the file lacks at most the last line after the process was killed. If a line cannot be
/// written, for example because the disk is full, the recording ends with an error in the log, and the service continues.
///
/// ```no_run
/// use hub_local::{LocalService, RecordFile};
///
/// let record = RecordFile::create("run.jsonl")?;
/// let service = LocalService::builder().record(record).build();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct RecordFile {
    path: PathBuf,
    /// `None` after a failure.
    out: Mutex<Option<Box<dyn Write + Send>>>,
}

impl fmt::Debug for RecordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordFile({:?})", self.path)
    }
}

impl RecordFile {
    /// Creates the file, or empties it, and writes its first line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // The file contains data of users.
            options.mode(0o600);
        }
        let file = options.open(&path)?;
        Self::new(path, Box::new(file))
    }

    fn new(path: PathBuf, mut out: Box<dyn Write + Send>) -> io::Result<Self> {
        let head = serde_json::json!({
            "version": VERSION,
            "kind": "recording",
            "started": crate::inspect::rfc3339(crate::inspect::now()),
            "hub_local": env!("CARGO_PKG_VERSION"),
        });
        write_line(&mut *out, &head.to_string())?;
        Ok(Self { path, out: Mutex::new(Some(out)) })
    }
}

impl EventSink for RecordFile {
    fn is_open(&self) -> bool {
        self.out.lock().is_some()
    }

    fn event(&self, event: &str) {
        let mut out = self.out.lock();
        let Some(file) = &mut *out else { return };
        let Err(error) = write_line(&mut **file, event) else { return };
        *out = None;
        tracing::error!(
            file = %self.path.display(),
            %error,
            "the recording has ended, because its file cannot be written; the service continues. The calls so far can be replayed"
        );
    }
}

/// One write, so that a line is not mixed with another one and is complete unless the process ends within it.
fn write_line(out: &mut (dyn Write + Send), line: &str) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    out.write_all(&bytes)?;
    out.flush()
}

/// Sends events to a channel while there is a receiver.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct EventTap(Mutex<Option<tokio::sync::mpsc::UnboundedSender<String>>>);

impl EventTap {
    /// The events from now on. An earlier receiver gets no more events.
    pub fn open(&self) -> tokio::sync::mpsc::UnboundedReceiver<String> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        *self.0.lock() = Some(sender);
        receiver
    }
}

impl EventSink for EventTap {
    fn is_open(&self) -> bool {
        self.0.lock().is_some()
    }

    fn event(&self, event: &str) {
        let mut sender = self.0.lock();
        if sender.as_ref().is_some_and(|sender| sender.send(event.to_owned()).is_err()) {
            *sender = None;
        }
    }
}

impl<T: EventSink + ?Sized> EventSink for std::sync::Arc<T> {
    fn is_open(&self) -> bool {
        (**self).is_open()
    }

    fn event(&self, event: &str) {
        (**self).event(event);
    }
}

/// Two sinks.
impl<A: EventSink, B: EventSink> EventSink for (A, B) {
    fn is_open(&self) -> bool {
        self.0.is_open() || self.1.is_open()
    }

    fn event(&self, event: &str) {
        self.0.event(event);
        self.1.event(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for some bytes.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let written = bytes.len().min(self.0);
            self.0 -= written;
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_nothing_else() {
        let file = RecordFile::new("x".into(), Box::new(Disk(300))).unwrap();

        for _ in 0..100 {
            file.event(&"x".repeat(50));
        }

        assert!(file.out.lock().is_none());
        assert!(RecordFile::new("x".into(), Box::new(Disk(3))).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_created_is_an_error() {
        assert!(RecordFile::create("/nonexistent/folder/run.jsonl").is_err());
    }

    #[test]
    fn each_event_is_one_line_after_the_head() {
        let path =
            std::env::temp_dir().join(format!("hub-local-record-{}.jsonl", std::process::id()));
        let file = RecordFile::create(&path).unwrap();

        file.event("{\"seq\":1}");
        file.event("{\"seq\":2}");

        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].starts_with("{\"") && lines[0].contains("\"kind\":\"recording\""),
            "{text}"
        );
        assert_eq!(lines[1..], ["{\"seq\":1}", "{\"seq\":2}"]);
    }
}
