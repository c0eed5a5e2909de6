//! Everything that is logged while tests run, for who looks for secrets in it afterwards.

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

/// The variable that names the folder to write to. Without it nothing is recorded.
pub const FOLDER: &str = "TEST_OUTPUT";

static RECORD: OnceLock<Option<Mutex<File>>> = OnceLock::new();

/// Records what everything in this process logs from now on, at every level, into a file of its own.
/// Cheap when it happens again: each test that starts something calls it.
///
/// There is a subscriber in any case, since `tracing` else decides by the thread that comes first to a
/// line of the log whether the others' subscribers hear of it.
pub fn record() {
    RECORD.get_or_init(|| {
        let Some(file) = env::var_os(FOLDER).and_then(|folder| open(Path::new(&folder)).ok())
        else {
            let _ = tracing_subscriber::registry().try_init();
            return None;
        };
        let log = Mutex::new(file.try_clone().ok()?);
        // The WebSocket client of the tests is nothing of ours, and logs its own requests.
        let recorded = Targets::new()
            .with_default(LevelFilter::TRACE)
            .with_target("tungstenite", LevelFilter::OFF)
            .with_target("tokio_tungstenite", LevelFilter::OFF);
        let lines = fmt::layer().with_ansi(false).with_writer(log);
        let subscriber = tracing_subscriber::registry().with(recorded).with(lines);
        // A test that was here first has its own.
        let _ = subscriber.try_init();
        Some(Mutex::new(file))
    });
}

/// Records a text beside the log: what a test reads that has a subscriber of its own, or what a program
/// printed.
pub fn also(text: &[u8]) {
    record();
    if let Some(Some(file)) = RECORD.get() {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // Who searches finds too little then, and says so.
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
