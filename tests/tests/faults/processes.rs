//! A service and an app in separate processes on loopback. Each can be killed and started again on
//! the same port.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
};

use test_support::{KEY, until};
use tests::history::{Event, History, check};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::{ports::free_port, recording_client::RecordingClient};

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    printed: Arc<Mutex<Vec<String>>>,
    readers: [JoinHandle<()>; 2],
}

impl Process {
    async fn start(mut command: Command, listens: &str, history: &History) -> Self {
        let mut child = command
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let printed = Arc::<Mutex<Vec<String>>>::default();
        let out = read(child.stdout.take().unwrap(), &printed, history);
        let errors = read(child.stderr.take().unwrap(), &printed, history);
        let process = Self { child, printed, readers: [out, errors] };
        until(&format!("{listens} in what it prints"), || process.count(listens) > 0).await;
        process
    }

    /// Kills the process, and reads the rest of its output.
    pub(crate) async fn kill(mut self) {
        // This sends SIGKILL.
        self.child.kill().await.unwrap();
        for reader in &mut self.readers {
            reader.await.unwrap();
        }
    }

    /// Returns the number of output lines that contain `part`. History entries are not counted.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.printed.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }

    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

fn read(
    stream: impl AsyncRead + Send + Unpin + 'static,
    printed: &Arc<Mutex<Vec<String>>>,
    history: &History,
) -> JoinHandle<()> {
    let (printed, history) = (Arc::clone(printed), history.clone());
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(entry) => history.add(entry),
                Err(_) => {
                    // The line goes to the output of the test, which is searched for secrets.
                    println!("{line}");
                    printed.lock().unwrap().push(line);
                }
            }
        }
    })
}

/// The addresses of service and app, and their common history.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) service: SocketAddr,
    pub(crate) app: SocketAddr,
    pub(crate) history: History,
}

impl Site {
    pub(crate) fn new() -> Self {
        let at = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self { service: at(), app: at(), history: History::default() }
    }

    /// Starts the service with a limit of `descriptors` file descriptors.
    pub(crate) async fn service(&self, descriptors: u32) -> Process {
        let upstream = format!("http://{}/runtime/webhooks/signalr", self.app);
        let program = env!("CARGO_BIN_EXE_e2e-app");
        let mut command = limited(program, descriptors);
        command.args(["service", &upstream]).env("KEY", KEY);
        command.env("PORT", self.service.port().to_string());
        Process::start(command, "SignalR  http", &self.history).await
    }

    /// Starts the app with a limit of `descriptors` file descriptors.
    pub(crate) async fn app(&self, descriptors: u32) -> Process {
        let service = format!("Endpoint=http://{};AccessKey={KEY};Version=1.0;", self.service);
        let mut command = limited(env!("CARGO_BIN_EXE_faults-app"), descriptors);
        command.env("PORT", self.app.port().to_string());
        command.env("AzureSignalRConnectionString", service);
        Process::start(command, "App      http", &self.history).await
    }

    pub(crate) async fn client(&self) -> RecordingClient {
        RecordingClient::connect(self.service, &self.history).await
    }

    /// Waits for pending messages, then checks the delivery guarantees.
    pub(crate) async fn check(&self) {
        let faults = || check(&self.history.events());
        until("the last messages come", || {
            !faults()
                .iter()
                .any(|fault| fault.contains(" lost ") || fault.contains("never answered"))
        })
        .await;
        assert_eq!(faults(), [""; 0]);
    }

    /// The number of `disconnected` calls for these connections.
    pub(crate) fn told_as_gone(&self, ids: &[String]) -> usize {
        self.history
            .count(|event| matches!(event, Event::Disconnected { client } if ids.contains(client)))
    }
}

/// Returns a command with a limit of file descriptors and without the developer's environment.
fn limited(program: &str, descriptors: u32) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh"]);
    command.arg(descriptors.to_string()).arg(program).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}
