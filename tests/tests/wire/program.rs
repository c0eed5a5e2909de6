//! The program of an app: its arguments, its errors at start, and its output without a log subscriber.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    process::{Child, Command, Output, Stdio},
};

use test_support::{free_address, http_client};

fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plain-app"));
    // An empty folder, so that no `local.settings.json` is read.
    command.args(arguments).env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
    command.env("HUB_LOCAL_PORT", "0").envs(variables.iter().copied());
    command
}

fn ended(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = program(arguments, variables).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A running program that is killed on drop.
struct Running(Child, String);

impl Running {
    /// Starts the program, and waits until it serves at `port`.
    fn start(port: u16, variables: &[(&str, &str)]) -> Self {
        let port = port.to_string();
        let mut command = program(&[], &[&[("PORT", port.as_str())], variables].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let started: Vec<_> = lines.take(3).collect();
        assert!(started[0].starts_with("SignalR  http://127.0.0.1:"), "{started:?}");
        assert!(started[1].starts_with("Inspect  http://127.0.0.1:"), "{started:?}");
        let token = started[1].split_once("/inspector#").unwrap().1.to_owned();
        assert_eq!(token.len(), 44);
        assert_eq!(started[2], format!("App      http://127.0.0.1:{port}"));
        Self(child, token)
    }

    /// Ends the program, and returns what it wrote to standard error.
    fn stderr(mut self) -> String {
        self.0.kill().unwrap();
        let mut text = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(!text.contains(&self.1), "the token of the inspector is in the log: {text}");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn help_and_version_are_printed_and_nothing_is_started() {
    for (argument, begin) in
        [("--help", "Usage: plain-app [COMMAND]\n"), ("-h", "Usage: "), ("-V", "plain-app (hub-")]
    {
        let (status, stdout, stderr) = ended(&[argument], &[]);

        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{argument}");
        assert!(stdout.starts_with(begin) && !stdout.contains("http://"), "{stdout}");
    }
}

#[test]
fn unknown_arguments_end_the_program_with_status_2() {
    for unknown in ["--prot", "serve"] {
        let (status, stdout, stderr) = ended(&[unknown], &[]);

        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{unknown}");
        let begin = format!("error: unexpected argument `{unknown}`");
        assert!(stderr.starts_with(&begin) && stderr.contains("Usage: plain-app"), "{stderr}");
    }
}

#[test]
fn the_arguments_of_a_host_are_not_read() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let host = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.as_str()),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
    ];

    let (status, _, stderr) = ended(&["--worker-id", "7"], &host);

    assert_eq!(status, Some(1));
    let text = format!("Error: port {port} is in use: the Functions host assigned it");
    assert!(stderr.starts_with(&text), "{stderr}");
}

#[test]
fn an_error_at_start_is_printed_as_a_text_with_the_fix() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let advice = |variable: &str| {
        format!(
            "Error: port {port} is in use: set {variable} to another port, or stop the process that listens there\n"
        )
    };
    let string = ("AzureSignalRConnectionString", "Endpoint=https://x.net;Version=1.0");
    let similar =
        ("Azure__SignalR__ConnectionString", "Endpoint=https://x.net;AccessKey=topsecret");
    for (variable, text) in [
        (("PORT", port.as_str()), advice("PORT")),
        (("HUB_LOCAL_PORT", port.as_str()), advice("HUB_LOCAL_PORT")),
        (string, "Error: AzureSignalRConnectionString is not a usable connection string: accesskey is required.\n".to_owned()),
        (similar, "Error: the app cannot start:\n  - Azure__SignalR__ConnectionString names a service, but is not read by this app, which has no other service; did you mean AzureSignalRConnectionString? (to use the embedded service anyway, remove the setting, or use SignalR::local())\n".to_owned()),
    ] {
        let (status, _, stderr) = ended(&[], &[variable]);

        assert_eq!((status, stderr), (Some(1), text));
    }
}

#[tokio::test]
async fn without_a_subscriber_the_first_error_and_warnings_at_start_are_printed() {
    let address = free_address().await;
    let running = Running::start(address.port(), &[("AzureSignalRRetry__MaxRetrie", "1")]);

    for cause in ["the+first+cause", "the+second+cause"] {
        let target = format!("/echo/negotiate?fail={cause}");
        assert_eq!(http_client::send(address, "POST", &target, &[], b"").await.status, 500);
    }

    let stderr = running.stderr();
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    assert_eq!(
        lines[0],
        "warning: AzureSignalRRetry__MaxRetrie is not read by this app; did you mean AzureSignalRRetry__MaxRetries?"
    );
    assert!(lines[1].starts_with("error ") && lines[1].ends_with(": the first cause"), "{stderr}");
    assert!(lines[2].contains("no `tracing` subscriber"), "{stderr}");
}
