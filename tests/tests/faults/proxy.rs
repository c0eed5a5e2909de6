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

/// How much passes at once.
const CHUNK: usize = 16 * 1024;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the peer that connected.
    Up,
    /// To the peer that connected.
    Down,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Both sides read the end of the stream.
    Closes,
    /// Both sides read a reset.
    Resets,
    /// Only the peer that connected notices; the other side waits until [`Proxy::heal`].
    ClosesOneSide,
    /// Nothing passes any more and nothing closes, until [`Proxy::heal`] cuts it.
    Hangs,
    /// Every piece is delayed by this time.
    Delays(Duration),
    /// Bytes pass one by one.
    Dribbles,
    /// Nothing reaches the other side; the peer that connected reads this instead, and the end.
    Answers(&'static [u8]),
}

/// A fault that starts when this many bytes have passed in its direction.
#[derive(Clone, Copy, Debug)]
struct Armed {
    fault: Fault,
    direction: Direction,
    after: usize,
    /// Whether it goes on for everything after, on every connection.
    stays: bool,
}

#[derive(Debug, Default)]
struct State {
    target: Option<SocketAddr>,
    /// In this order.
    armed: VecDeque<Armed>,
    /// Since the last [`Proxy::arm`] or [`Proxy::count`], or since the last fault.
    passed: [usize; 2],
    struck: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    open: AtomicUsize,
    /// Every connection is cut, those that hang too.
    cut: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many of these bytes pass before something happens, and what then does.
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

/// The proxy; it ends with the value.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Without a target yet: connections are closed.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    /// What new connections are led to.
    pub(crate) fn leads_to(&self, target: SocketAddr) {
        self.shared.state().target = Some(target);
    }

    /// As if what is behind it were dead: every connection is cut, now and until it leads somewhere again.
    /// Returns where it led.
    pub(crate) fn leads_nowhere(&self) -> SocketAddr {
        let target = self.shared.state().target.take().unwrap();
        self.cut_all();
        target
    }

    /// The next connection over which byte `after + 1` in this direction would pass meets this fault,
    /// and then none does. Bytes count from now on, over all connections.
    pub(crate) fn arm(&self, direction: Direction, after: usize, fault: Fault) {
        self.shared.state().passed = [0; 2];
        self.then(direction, after, fault);
    }

    /// After the faults that wait already, this one. Its bytes count from the one before.
    pub(crate) fn then(&self, direction: Direction, after: usize, fault: Fault) {
        let armed = Armed { fault, direction, after, stays: false };
        self.shared.state().armed.push_back(armed);
    }

    /// Everything in this direction meets this fault, until [`Self::heal`].
    pub(crate) fn keep(&self, direction: Direction, fault: Fault) {
        let armed = Armed { fault, direction, after: 0, stays: true };
        self.shared.state().armed.push_back(armed);
    }

    /// Nothing happens any more; whatever hangs is cut.
    pub(crate) fn heal(&self) {
        self.shared.state().armed.clear();
        self.shared.cut.notify_waiters();
    }

    /// Cuts every connection that is open now.
    pub(crate) fn cut_all(&self) {
        self.shared.cut.notify_waiters();
    }

    /// Starts to count bytes afresh.
    pub(crate) fn count(&self) {
        self.shared.state().passed = [0; 2];
    }

    /// How many bytes have passed this way.
    pub(crate) fn passed(&self, direction: Direction) -> usize {
        self.shared.state().passed[direction as usize]
    }

    /// How often a fault has struck.
    pub(crate) fn struck(&self) -> usize {
        self.shared.state().struck
    }

    /// How many connections are open.
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

/// Counts one connection.
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
            // With bytes unread a socket that is dropped is reset, and this is to be an orderly end.
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

/// Passes bytes in both directions until both have ended or a fault ends them.
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
            // What has passed is to be read before the fault is.
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
