//! Measures the time from the start of an app to its first upstream response, and the memory of the
//! idle app.
//!
//! `bench-functions PROGRAM [RUNS]` starts the program repeatedly, as the Functions host does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use hub_core::{
    client_access::EMULATOR_KEY,
    seal::{self, Identity, SealKey},
};

const RUNS: usize = 21;
/// An unreachable service. The app does not call it. The access key is public; the signature below was
/// created with it.
const CONNECTION: &str = "Endpoint=http://localhost;Port=1;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;";
const SIGNATURE: &str = "sha256=B78B1B6698EF4C26ADACC16537E1940BF816254465275D2DC5CD8BAFEA0506E1";
const BODY: &str = r#"{"type":1,"invocationId":"1","target":"clear","arguments":["one"]}"#;
/// The app's response. The app verifies, routes and filters the call. The filter of the method refuses
/// anonymous callers, so the app responds without a call to the service.
const ANSWER: &str = "403 Forbidden: Sign in first";

struct App(Child);

impl Drop for App {
    fn drop(&mut self) {
        // The app may have ended already. `start` reports this.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().expect("usage: bench-functions PROGRAM [RUNS]");
    let runs = arguments.next().map_or(RUNS, |runs| runs.parse().expect("a number of runs"));
    let mut times: Vec<Duration> = (0..runs).map(|_| start(&program).1).collect();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("start to the first upstream response, {runs} starts:");
    println!("  median   {:.2} ms", milliseconds(times[runs / 2]));
    println!("  fastest  {:.2} ms", milliseconds(times[0]));
    println!("  slowest  {:.2} ms", milliseconds(times[runs - 1]));
    let (app, _) = start(&program);
    thread::sleep(Duration::from_secs(1));
    println!("resident when idle, after one call: {}", resident(app.0.id()));
    println!("size of the program: {} bytes", fs::metadata(&program).unwrap().len());
}

/// Starts the app, and measures the time until its response.
fn start(program: &str) -> (App, Duration) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .env("FUNCTIONS_WORKER_RUNTIME", "custom")
        .env("AzureSignalRConnectionString", CONNECTION)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let mut app = App(command.spawn().unwrap());
    let mut stream = loop {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            break stream;
        }
        assert!(app.0.try_wait().unwrap().is_none(), "the app has ended");
        thread::sleep(Duration::from_micros(50));
    };
    let (length, seal) = (BODY.len(), seal());
    let request = format!(
        "POST /api/signalr HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-ASRS-Connection-Id: conn-0001\r\nX-ASRS-Hub: board\r\nX-ASRS-Category: messages\r\nX-ASRS-Event: clear\r\nX-ASRS-Signature: {SIGNATURE}\r\nX-ASRS-User-Claims: shub: {seal}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{BODY}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let took = begun.elapsed();
    assert!(answer.contains(ANSWER), "{answer}");
    (app, took)
}

/// The seal of an anonymous client, as the app's negotiate makes it.
fn seal() -> String {
    let claims = std::iter::empty().collect();
    let identity = Identity { hub: "board".to_owned(), user_id: None, issued_at: 0, claims };
    seal::seal(&identity, &SealKey::derive(&EMULATOR_KEY.into()))
}

fn resident(id: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "not known on this system".to_owned(), |value| value.trim().to_owned())
}
