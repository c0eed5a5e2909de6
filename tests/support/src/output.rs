//! Records all log lines of the tests. Another step searches the recorded lines for secrets.

use std::{
    env, fs,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    process,
    sync::{Mutex, OnceLock, PoisonError},
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The environment variable with the output folder. Nothing is recorded if it is not set.
pub const FOLDER: &str = "TEST_OUTPUT";

static RECORD: OnceLock<Option<Mutex<File>>> = OnceLock::new();

/// Records all later log lines of this process, at every level, in a file of this process. Repeated
/// calls are cheap: each helper that starts a service or an app calls this function.
///
/// It always installs a subscriber. Without one, `tracing` caches for each log line whether the first thread
/// that reaches it has a subscriber, and other threads' subscribers miss the line.
pub fn record() {
    RECORD.get_or_init(|| {
        let Some(file) = env::var_os(FOLDER).and_then(|folder| open(Path::new(&folder)).ok())
        else {
            let _ = tracing_subscriber::registry().try_init();
            return None;
        };
        let log = Mutex::new(file.try_clone().ok()?);
        // The WebSocket client is only used in tests, and logs its own requests.
        let recorded = Targets::new()
            .with_default(LevelFilter::TRACE)
            .with_target("tungstenite", LevelFilter::OFF)
            .with_target("tokio_tungstenite", LevelFilter::OFF);
        let lines = fmt::layer().with_ansi(false).with_writer(log);
        let subscriber = tracing_subscriber::registry().with(recorded).with(lines);
        // An earlier test may have installed its own subscriber.
        let _ = subscriber.try_init();
        Some(Mutex::new(file))
    });
}

/// Records a text in addition to the log: the log of a test with its own subscriber, or the output
/// of a program.
pub fn also(text: &[u8]) {
    record();
    if let Some(Some(file)) = RECORD.get() {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A write error makes the search fail, because the search checks the amount of output.
        let _ = file.write_all(text);
    }
}

fn open(folder: &Path) -> std::io::Result<File> {
    fs::create_dir_all(folder)?;
    let program = env::current_exe()?;
    let program = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("{program}.{}.log", process::id());
    OpenOptions::new().create(true).append(true).open(folder.join(name))
}
