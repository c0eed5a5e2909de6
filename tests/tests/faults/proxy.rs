//! A TCP proxy that injects a fault after a given number of bytes.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

/// The maximum number of bytes that pass at once.
const CHUNK: usize = 16 * 1024;

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the peer that connected.
    Up,
    /// To the peer that connected.
    Down,
}

/// A fault of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Both sides read the end of the stream.
    Closes,
    /// Both sides read a reset.
    Resets,
    /// The peer that connected reads the end of the stream. The other side waits until
    /// [`Proxy::heal`].
    ClosesOneSide,
    /// No bytes pass and neither side closes, until [`Proxy::heal`] cuts the connection.
    Hangs,
    /// Every chunk is delayed by this time.
    Delays(Duration),
    /// Bytes pass one by one.
    Dribbles,
    /// No bytes reach the other side. The peer that connected reads these bytes, then the end of
    /// the stream.
    Answers(&'static [u8]),
}

/// A fault that starts after `after` bytes in its direction.
#[derive(Clone, Copy, Debug)]
struct Armed {
    fault: Fault,
    direction: Direction,
    after: usize,
    /// Whether the fault applies to all later bytes, on every connection.
    stays: bool,
}

#[derive(Debug, Default)]
struct State {
    target: Option<SocketAddr>,
    /// The faults, in the order in which they take effect.
    armed: VecDeque<Armed>,
    /// Bytes since the last [`Proxy::arm`] or [`Proxy::count`], or since the last fault.
    passed: [usize; 2],
    struck: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    open: AtomicUsize,
    /// Cuts every connection, including those that hang.
    cut: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns how many of these bytes pass before the next fault, and that fault.
    fn judge(&self, direction: Direction, bytes: usize) -> (usize, Option<Fault>) {
        let mut state = self.state();
        let passed = state.passed[direction as usize];
        let first = state.armed.front().copied();
        let hit = first.filter(|it| it.direction == direction && passed + bytes > it.after);
        let Some(armed) = hit else {
            state.passed[direction as usize] += bytes;
            return (bytes, None);
        };
        state.struck += 1;
        if armed.stays {
            state.passed[direction as usize] += bytes;
            return (bytes, Some(armed.fault));
        }
        state.passed = [0; 2];
        state.armed.pop_front();
        (armed.after - passed, Some(armed.fault))
    }
}

/// The proxy. It stops when the value is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy without a target. It resets every connection until a target is set.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    /// Sets the target of new connections.
    pub(crate) fn leads_to(&self, target: SocketAddr) {
        self.shared.state().target = Some(target);
    }

    /// Cuts every connection, and resets new ones until a target is set again, as if the target
    /// were dead. Returns the previous target.
    pub(crate) fn leads_nowhere(&self) -> SocketAddr {
        let target = self.shared.state().target.take().unwrap();
        self.cut_all();
        target
    }

    /// Injects one fault, which strikes the connection that would pass byte `after + 1` in this
    /// direction. Bytes are counted from now on, over all connections.
    pub(crate) fn arm(&self, direction: Direction, after: usize, fault: Fault) {
        self.shared.state().passed = [0; 2];
        self.then(direction, after, fault);
    }

    /// Injects another fault after the pending ones. Its bytes are counted from the fault before
    /// it.
    pub(crate) fn then(&self, direction: Direction, after: usize, fault: Fault) {
        let armed = Armed { fault, direction, after, stays: false };
        self.shared.state().armed.push_back(armed);
    }

    /// Applies a fault to all bytes in this direction, until [`Self::heal`].
    pub(crate) fn keep(&self, direction: Direction, fault: Fault) {
        let armed = Armed { fault, direction, after: 0, stays: true };
        self.shared.state().armed.push_back(armed);
    }

    /// Ends all faults, and cuts every open connection, including those that hang.
    pub(crate) fn heal(&self) {
        self.shared.state().armed.clear();
        self.shared.cut.notify_waiters();
    }

    /// Cuts every open connection.
    pub(crate) fn cut_all(&self) {
        self.shared.cut.notify_waiters();
    }

    /// Resets the byte counters.
    pub(crate) fn count(&self) {
        self.shared.state().passed = [0; 2];
    }

    /// Returns the number of bytes that have passed in this direction.
    pub(crate) fn passed(&self, direction: Direction) -> usize {
        self.shared.state().passed[direction as usize]
    }

    /// Returns the number of faults that have struck.
    pub(crate) fn struck(&self) -> usize {
        self.shared.state().struck
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut tunnels = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                tunnels.spawn(tunnel(client, Arc::clone(&shared)));
            }
            Some(_) = tunnels.join_next() => {}
        }
    }
}

/// Decrements the number of open connections on drop.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn tunnel(mut client: TcpStream, shared: Arc<Shared>) {
    shared.open.fetch_add(1, Ordering::SeqCst);
    let _open = Open(&shared.open);
    let cut = shared.cut.notified();
    let mut cut = std::pin::pin!(cut);
    cut.as_mut().enable();
    let target = shared.state().target;
    let server = match target {
        Some(target) => TcpStream::connect(target).await,
        None => Err(io::ErrorKind::NotConnected.into()),
    };
    let Ok(mut server) = server else {
        reset(client);
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let struck = tokio::select! {
        struck = forward(&mut client, &mut server, &shared) => struck,
        () = cut.as_mut() => Some(Fault::Resets),
    };
    match struck {
        None => {}
        Some(Fault::Closes) => {
            let _ = (client.shutdown().await, server.shutdown().await);
            // Dropping a socket with unread bytes would reset it, but this fault is an orderly
            // close.
            drain(&mut client);
            drain(&mut server);
        }
        Some(Fault::ClosesOneSide) => {
            drop(client);
            cut.await;
            reset(server);
        }
        Some(Fault::Hangs) => {
            cut.await;
            reset(client);
            reset(server);
        }
        Some(Fault::Answers(bytes)) => {
            let _ = client.write_all(bytes).await;
            let _ = client.shutdown().await;
            drain(&mut client);
        }
        Some(Fault::Resets | Fault::Delays(_) | Fault::Dribbles) => {
            reset(client);
            reset(server);
        }
    }
}

fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}

fn drain(stream: &mut TcpStream) {
    let mut bytes = [0; CHUNK];
    while matches!(stream.try_read(&mut bytes), Ok(read) if read > 0) {}
}

/// Passes bytes in both directions until both streams have ended or a fault strikes.
async fn forward(client: &mut TcpStream, server: &mut TcpStream, shared: &Shared) -> Option<Fault> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let (mut up, mut down) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut up_open, mut down_open) = (true, true);
    while up_open || down_open {
        let (direction, read) = tokio::select! {
            read = from_client.read(&mut up), if up_open => (Direction::Up, read),
            read = from_server.read(&mut down), if down_open => (Direction::Down, read),
        };
        let Ok(read) = read else { return Some(Fault::Resets) };
        let (to, bytes, open) = match direction {
            Direction::Up => (&mut to_server, &up[..read], &mut up_open),
            Direction::Down => (&mut to_client, &down[..read], &mut down_open),
        };
        if read == 0 {
            *open = false;
            let _ = to.shutdown().await;
            continue;
        }
        let (passing, fault) = shared.judge(direction, read);
        let written = match fault {
            Some(Fault::Delays(time)) => {
                tokio::time::sleep(time).await;
                to.write_all(bytes).await
            }
            Some(Fault::Dribbles) => dribble(to, bytes).await,
            Some(Fault::Answers(_)) => return fault,
            _ => to.write_all(&bytes[..passing]).await,
        };
        match fault {
            None | Some(Fault::Delays(_) | Fault::Dribbles) => {}
            // Lets the peer read the bytes that have passed before the fault strikes.
            fault => {
                tokio::task::yield_now().await;
                return fault;
            }
        }
        if written.is_err() {
            return Some(Fault::Resets);
        }
    }
    None
}

async fn dribble(to: &mut tokio::net::tcp::WriteHalf<'_>, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        to.write_all(&[*byte]).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}
