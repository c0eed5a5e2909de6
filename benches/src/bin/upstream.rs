//! Servers, load and single calls for the script `benches/upstream`.
//!
//! ```text
//! bench-upstream serve app|bare|required PORT     an HTTP server, until SIGTERM
//! bench-upstream load PORT CONNECTIONS SECONDS    requests without pipelining; prints their number per second
//! bench-upstream requests PORT COUNT              COUNT requests, one after another
//! bench-upstream calls app|bare|binding COUNT     COUNT calls in this process
//! ```

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use benches::{bare, binding::Binding, call};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
};
use tower_service::Service;

/// The duration of the load before the measurement.
const WARM: Duration = Duration::from_millis(500);

/// The end of a response, the same for the app and the bare handler.
const ANSWERED: &[u8] = b"\"result\":4}\x1e";

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", "app", port] => {
            let port: u16 = port.parse()?;
            many_threads()?.block_on(async { Ok(call::app()?.serve(("127.0.0.1", port)).await?) })
        }
        ["serve", "bare", port] => many_threads()?.block_on(until_end(bare::serve(port.parse()?))),
        ["serve", "required", port] => {
            many_threads()?.block_on(until_end(bare::serve_as_required(port.parse()?)))
        }
        ["load", port, connections, seconds] => {
            let seconds = Duration::from_secs_f64(seconds.parse()?);
            one_thread()?.block_on(load(port.parse()?, connections.parse()?, seconds))
        }
        ["requests", port, count] => {
            one_thread()?.block_on(requests(port.parse()?, count.parse()?))
        }
        ["calls", what, count] => calls(what, count.parse()?),
        _ => Err("usage: see the head of benches/src/bin/upstream.rs".into()),
    }
}

fn many_threads() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

fn one_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Exits normally on SIGTERM, so that an instrumentation tool can write its result.
async fn until_end(serving: impl Future<Output = io::Result<()>>) -> Outcome {
    #[cfg(unix)]
    let ended = async {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate())?.recv().await;
        io::Result::Ok(())
    };
    #[cfg(not(unix))]
    let ended = tokio::signal::ctrl_c();
    tokio::select! {
        served = serving => Ok(served?),
        ended = ended => Ok(ended?),
    }
}

fn calls(what: &str, count: usize) -> Outcome {
    let runtime = one_thread()?;
    let headers = call::headers();
    match what {
        "app" => {
            let mut service = runtime.block_on(async { call::app() })?.service();
            for _ in 0..count {
                let request = call::request(&headers)?;
                let answer = runtime.block_on(service.call(request))?;
                runtime.block_on(answer.into_body().collect())?;
            }
        }
        "bare" => {
            for _ in 0..count {
                let answer = runtime.block_on(bare::handle(call::request(&headers)?))?;
                runtime.block_on(answer.into_body().collect())?;
            }
        }
        "binding" => {
            let binding = Binding::default();
            for _ in 0..count {
                binding.call(binding.parts()).ok_or("the call failed")?;
            }
        }
        _ => return Err("expected `app`, `bare` or `binding`".into()),
    }
    Ok(())
}

/// A connection that sends the same request repeatedly.
struct Caller {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    /// The length of a response. All responses of a server have the same length.
    length: usize,
}

impl Caller {
    async fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let request = call::on_the_wire();
        let mut caller = Self { stream, request, answer: vec![0; 4096], length: 0 };
        caller.learn().await?;
        Ok(caller)
    }

    /// Sends one request, and measures the length of its response.
    async fn learn(&mut self) -> io::Result<()> {
        call::number(&mut self.request);
        self.stream.write_all(&self.request).await?;
        while !self.answer[..self.length].ends_with(ANSWERED) {
            let read = self.stream.read(&mut self.answer[self.length..]).await?;
            if read == 0 {
                return Err(io::Error::other(String::from_utf8_lossy(&self.answer).into_owned()));
            }
            self.length += read;
        }
        Ok(())
    }

    async fn ask(&mut self) -> io::Result<()> {
        call::number(&mut self.request);
        self.stream.write_all(&self.request).await?;
        self.stream.read_exact(&mut self.answer[..self.length]).await?;
        let head = b"HTTP/1.1 200 ";
        if self.answer.starts_with(head) {
            Ok(())
        } else {
            Err(io::Error::other("the status is not 200"))
        }
    }
}

async fn requests(port: u16, count: usize) -> Outcome {
    let mut caller = Caller::connect(port).await?;
    for _ in 0..count {
        caller.ask().await?;
    }
    Ok(())
}

async fn load(port: u16, connections: usize, measured: Duration) -> Outcome {
    let (done, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let mut caller = Caller::connect(port).await?;
        let (done, ended) = (Arc::clone(&done), Arc::clone(&ended));
        callers.spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                caller.ask().await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            io::Result::Ok(())
        });
    }
    tokio::time::sleep(WARM).await;
    let (before, began) = (done.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(measured).await;
    let counted = done.load(Ordering::Relaxed) - before;
    println!("{:.0}", counted as f64 / began.elapsed().as_secs_f64());
    ended.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}
