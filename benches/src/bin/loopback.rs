//! What loopback TCP allows: a loop that only writes to N sockets, and a process that only reads them.
//!
//! `bench-loopback CLIENTS WINDOW SECONDS`. The messages have the size of a broadcast of the load tool. As with
//! `hub-local load`, at most WINDOW broadcasts are under way; those that may be sent are joined in one write. The
//! reader counts bytes, and reports with one byte on a socket of its own how many broadcasts are complete. There are no
//! frames, no tasks and no queues: no server that writes to each client with a system call is faster.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::io::AsyncReadExt as _;

/// The frame of a broadcast with 32 bytes of payload.
const MESSAGE_BYTES: usize = 87;
const READ_BYTES: usize = 64 * 1024;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["read", address, clients] => read(address, clients.parse()?),
        [clients, window, seconds] => {
            let seconds = Duration::from_secs(seconds.parse()?);
            write(clients.parse()?, window.parse()?, seconds)
        }
        _ => Err("usage: bench-loopback CLIENTS WINDOW SECONDS".into()),
    }
}

fn write(clients: usize, window: usize, time: Duration) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let mut reader = Command::new(std::env::current_exe()?)
        .args(["read", &address, &clients.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let accept = || -> io::Result<TcpStream> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let mut reports = accept()?;
    let mut sockets = (0..clients).map(|_| accept()).collect::<io::Result<Vec<_>>>()?;
    let message = vec![b'x'; MESSAGE_BYTES * window];
    let (mut free, mut broadcasts, mut writes) = (window, 0_usize, 0_usize);
    let mut completed = vec![0; READ_BYTES];
    let (began, used) = (Instant::now(), processor_time()?);
    while began.elapsed() < time {
        // With half a window, writer and reader work at the same time.
        if free < window.div_ceil(2) {
            free += reports.read(&mut completed)?;
            continue;
        }
        let joined = &message[..MESSAGE_BYTES * free];
        for socket in &mut sockets {
            socket.write_all(joined)?;
        }
        (broadcasts, writes, free) = (broadcasts + free, writes + clients, 0);
    }
    let (elapsed, used) = (began.elapsed().as_secs_f64(), processor_time()? - used);
    drop((sockets, reports));
    let mut printed = String::new();
    reader.stdout.take().ok_or("no output")?.read_to_string(&mut printed)?;
    reader.wait()?;
    let deliveries = (broadcasts * clients) as f64;
    println!(
        "{clients} clients, window {window}: {:.0} deliveries/s, {:.2} writes and {:.3} us of processor time each \
         (reader {:.3}), {:.0} bytes a write",
        deliveries / elapsed,
        writes as f64 / deliveries,
        used / deliveries,
        printed.trim().parse::<f64>()? / deliveries,
        deliveries * MESSAGE_BYTES as f64 / writes as f64,
    );
    Ok(())
}

/// Reads until the sockets are closed. Prints the processor time in microseconds.
#[tokio::main]
async fn read(address: &str, clients: u64) -> Outcome {
    let reports = TcpStream::connect(address)?;
    reports.set_nodelay(true)?;
    let reports = Arc::new(reports);
    let received = Arc::new(AtomicU64::new(0));
    let broadcast = MESSAGE_BYTES as u64 * clients;
    let mut reading = Vec::new();
    for _ in 0..clients {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let (received, reports) = (Arc::clone(&received), Arc::clone(&reports));
        reading.push(tokio::spawn(async move {
            let mut input = vec![0; READ_BYTES];
            while let Ok(count @ 1..) = stream.read(&mut input).await {
                let before = received.fetch_add(count as u64, Ordering::Relaxed);
                let complete = (before + count as u64) / broadcast - before / broadcast;
                if complete > 0 {
                    let all = vec![1; complete as usize];
                    // An error means that the writer has ended.
                    let _ = (&*reports).write_all(&all);
                }
            }
        }));
    }
    for each in reading {
        each.await?;
    }
    println!("{}", processor_time()?);
    Ok(())
}

/// The processor time of all threads in microseconds.
fn processor_time() -> Outcome<f64> {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += stat.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(nanoseconds / 1000.0)
}
