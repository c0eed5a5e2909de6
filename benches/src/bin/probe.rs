//! Helper commands for the benchmark scripts.
//!
//! - `bench-probe token KEY URL` prints a client token for the audience `URL`.
//! - `bench-probe rest KEY TIMES METHOD URL [BODY]` makes REST calls on one connection. `{}` in the URL is the number
//!   of the call.
//! - `bench-probe start TIMES COMMAND…` runs `COMMAND… start` `TIMES` times. It prints the median time
//!   from process start to the first answered negotiate request, and the resident memory one second
//!   later.
//! - `bench-probe service UPSTREAM` runs only the service, on the port `PORT` with the key `KEY` (both
//!   environment variables), and prints its counters when they change.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use hub_core::{Secret, token};
use hub_local::{Counters, HttpUpstream, LocalService};
use tokio::net::TcpListener;

type Failed = Box<dyn std::error::Error>;

const KEY: &str = "a-key-for-probes-0123456789-0123456789";
/// The maximum time to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["token", key, url] => {
            println!("{}", client_token(key, url)?);
            Ok(())
        }
        ["rest", key, times, method, url, body @ ..] => {
            rest(key, times.parse()?, method, url, body.first().copied().unwrap_or_default())
        }
        ["start", times, command @ ..] => start(times.parse()?, command),
        ["service", upstream] => service(upstream),
        _ => {
            Err("usage: bench-probe token KEY URL | rest KEY TIMES METHOD URL [BODY] | start TIMES COMMAND… | service UPSTREAM".into())
        }
    }
}

fn client_token(key: &str, audience: &str) -> Result<String, Failed> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let claims = serde_json::json!({ "aud": audience, "exp": now + 3600, "asrs.s.uid": "load" });
    Ok(token::sign(&claims, &Secret::from(key))?)
}

fn rest(key: &str, times: usize, method: &str, url: &str, body: &str) -> Result<(), Failed> {
    let place = url.strip_prefix("http://").ok_or("the URL must begin with http://")?;
    let (host, path) = place.split_once('/').ok_or("the URL has no path")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    let mut answer = vec![0; 16 * 1024];
    for number in 1..=times {
        let path = path.replace("{}", &number.to_string());
        let token = client_token(key, &format!("http://{host}/{path}"))?;
        let request = format!(
            "{method} /{path}?api-version=2022-06-01 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        // Successful responses have no body and arrive in one piece.
        let length = stream.read(&mut answer)?;
        let head = String::from_utf8_lossy(&answer[..length]);
        if !head.starts_with("HTTP/1.1 20") || !head.ends_with("\r\n\r\n") {
            return Err(head.into());
        }
    }
    Ok(())
}

/// A child process that is killed on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(times: usize, command: &[&str]) -> Result<(), Failed> {
    let (program, more) = command.split_first().ok_or("COMMAND is missing")?;
    let (mut times_taken, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..times {
        // A free port. It is assumed to stay free until the command listens on it.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let token = client_token(KEY, &format!("http://localhost:{port}/client/?hub=bench"))?;
        let mut command = Command::new(program);
        command.args(more).args(["start", "--port", &port.to_string(), "--key", KEY]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let running = Running(command.spawn()?);
        while !negotiates(port, &token)? {
            if began.elapsed() > PATIENCE {
                return Err("the command did not answer in time".into());
            }
            sleep(Duration::from_micros(100));
        }
        times_taken.push(began.elapsed().as_secs_f64() * 1000.0);
        sleep(Duration::from_secs(1));
        sizes.push(resident_kib(running.0.id())?);
    }
    times_taken.sort_by(f64::total_cmp);
    sizes.sort_unstable();
    let middle = times / 2;
    let (time, size) = (times_taken.get(middle), sizes.get(middle));
    let (Some(time), Some(size), Some(last)) = (time, size, times_taken.last()) else {
        return Err("nothing was measured".into());
    };
    println!("first answered negotiate  {time:.1} ms, median of {times} (slowest {last:.1} ms)");
    println!("resident a second later   {:.1} MB, median", *size as f64 * 1024.0 / 1e6);
    Ok(())
}

/// Sends a negotiate request. Returns `false` if nothing listens on the port.
fn negotiates(port: u16, token: &str) -> Result<bool, Failed> {
    let mut stream = match TcpStream::connect(("127.0.0.1", port)) {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let request = format!(
        "POST /client/negotiate?hub=bench&negotiateVersion=1 HTTP/1.1\r\nHost: localhost:{port}\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(true) } else { Err(answer.into()) }
}

fn resident_kib(process: u32) -> Result<u64, Failed> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("/proc has no resident size (VmRSS) of the process")?.parse()?)
}

#[tokio::main]
async fn service(upstream: &str) -> Result<(), Failed> {
    let port: u16 = std::env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let service = LocalService::builder()
        .key(std::env::var("KEY")?)
        .upstream(HttpUpstream::new(upstream)?)
        .public_url(format!("http://127.0.0.1:{port}"))
        .build();
    tokio::spawn(print_counters(service.clone()));
    Ok(service.serve(listener).await?)
}

async fn print_counters(service: LocalService) {
    let mut shown = None;
    loop {
        let now = service.counters();
        let Counters { connections, slow_clients, waiting_clients, waiting_bytes, .. } = now;
        if shown.replace(now) != Some(now) {
            println!(
                "connections={connections} slow_clients={slow_clients} \
                 waiting_clients={waiting_clients} waiting_bytes={waiting_bytes}"
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
