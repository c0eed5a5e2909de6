//! Runs the command and reads its output.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::Notify,
    time::timeout,
};

/// Long enough for slow machines; only failing tests wait this long.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

/// Waits with a timeout.
pub(crate) async fn with_timeout<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

pub(crate) fn command() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_hub-local")))
}

/// Removes environment variables of the developer's machine.
fn clean(mut command: Command) -> Command {
    let ours = std::env::vars_os().map(|(name, _)| name);
    for variable in ours.filter(|name| name.to_string_lossy().starts_with("HUB_LOCAL_")) {
        command.env_remove(variable);
    }
    command.current_dir(std::env::temp_dir()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the command to its end and returns exit code, standard output and standard error.
pub(crate) async fn output(arguments: &[&str]) -> (i32, String, String) {
    let done = with_timeout("the end", command().args(arguments).output()).await.unwrap();
    let Output { status, stdout, stderr } = done;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Whether this machine has IPv6. A test that needs it and passes without it says so; `tests/run` shows this line.
pub(crate) fn has_ipv6(untested: &str) -> bool {
    let has_ipv6 = std::net::TcpListener::bind(("::1", 0)).is_ok();
    if !has_ipv6 {
        println!("NOT TESTED: this machine has no address ::1: {untested}");
    }
    has_ipv6
}

/// The output of a process so far.
#[derive(Clone, Default)]
pub(crate) struct Printed {
    text: Arc<Mutex<String>>,
    more: Arc<Notify>,
}

impl Printed {
    fn of(stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let printed = Self::default();
        let to = printed.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // Copies the line to the output of the test, which is shown on failure.
                println!("{line}");
                to.text.lock().unwrap().push_str(&format!("{line}\n"));
                to.more.notify_waiters();
            }
        });
        printed
    }

    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Waits for a line that contains `part`.
    pub(crate) async fn line(&self, part: &str) -> String {
        let found = async {
            loop {
                let more = self.more.notified();
                let mut more = std::pin::pin!(more);
                more.as_mut().enable();
                if let Some(line) = self.text().lines().find(|line| line.contains(part)) {
                    return line.to_owned();
                }
                more.await;
            }
        };
        match timeout(TIMEOUT, found).await {
            Ok(line) => line,
            Err(_) => panic!("nothing like `{part}` was printed:\n{}", self.text()),
        }
    }
}

/// A running service.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
    pub(crate) out: Printed,
    pub(crate) log: Printed,
}

impl Running {
    /// Starts the service on a free port.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(["start", "--port", "0"]).args(arguments);
        Self::of(command).await
    }

    /// Starts the service through a shell that sets limits first.
    pub(crate) async fn start_with_limit(limit: &str, arguments: &[&str]) -> Self {
        let script = format!("{limit} && exec \"$0\" start --port 0 \"$@\"");
        let mut command = clean(Command::new("sh"));
        command.args(["-c", &script, env!("CARGO_BIN_EXE_hub-local")]).args(arguments);
        Self::of(command).await
    }

    pub(crate) async fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = Printed::of(child.stdout.take().unwrap());
        let log = Printed::of(child.stderr.take().unwrap());
        let line = out.line("Connection string").await;
        let port = line.split("Port=").nth(1).unwrap().split(';').next().unwrap().parse();
        out.line("Ctrl+C stops").await;
        Self { child, port: port.unwrap(), out, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Returns the peak memory in KiB, on Linux only.
    pub(crate) fn peak(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Returns the resident memory in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: usize = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kib * 1024
    }

    /// Waits for the end of the process, also by a signal.
    pub(crate) async fn ended(&mut self) {
        with_timeout("the end", self.child.wait()).await.unwrap();
    }

    /// Waits for the end of the process and returns its exit code.
    pub(crate) async fn exit(&mut self) -> i32 {
        with_timeout("the end", self.child.wait()).await.unwrap().code().unwrap()
    }
}

/// A temporary folder, removed on drop.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("hub-local-command-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub(crate) fn write_settings(&self, text: &str) {
        // Atomic replacement, as editors do it: a reader sees the old or the new file, never a
        // part.
        let new = self.0.join("settings.json.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.0.join("settings.json")).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
