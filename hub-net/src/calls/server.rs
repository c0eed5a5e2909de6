//! The app's side of a connection: each call runs in a task of its own, so that none waits for another.

use std::{
    future::poll_fn,
    mem::replace,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use parking_lot::Mutex;
use tokio::{
    io::AsyncRead,
    net::TcpStream,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    BLOCKS, CallsError, MAX_BLOCKS_BYTES, MAX_CALL_BYTES, MAX_LINES_BYTES, MAX_RESPONSE_BYTES,
    SLOTS,
    frame::{Call, Frame},
    lines,
    outgoing::{HasOutgoing, Outgoing, first_of, write_frames, yield_to_any_thread},
    reader::Reader,
    slot,
};

/// Above this number of bytes that the service has not read, no further calls are read.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// The time from the first byte of a frame to its last one.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);
/// The time without a new call and without a running call after which a connection ends. The service ends it earlier.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long the service may take to close the connection after it was asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves a connection until it ends. `handle` makes the future of the response to a call. The future is polled at least once. It is
/// dropped when the service has cancelled the call, or the connection has ended. After `stop` is cancelled, the service is asked to close the connection, and calls that still
/// arrive are served. `arrived` are bytes that were read before.
///
/// # Errors
/// When the connection breaks, or the peer does not follow the protocol.
pub async fn serve<F>(
    mut stream: TcpStream,
    arrived: Vec<u8>,
    handle: impl FnOnce(Request<Bytes>) -> F + Clone + Send + 'static,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(), CallsError>
where
    F: Future<Output = Response<Bytes>> + Send + 'static,
{
    let calls = Calls(Arc::default());
    let (mut read_half, mut write_half) = stream.split();
    let mut reading = pin!(async {
        let reader = Reader::new(arrived, MAX_CALL_BYTES + CALL_OVERHEAD);
        let calls =
            Incoming { calls: &calls, handle, tasks, blocks: Blocks::default(), target: None };
        calls.read(reader, Pin::new(&mut read_half)).await
    });
    let mut writing = pin!(async {
        let wrote = || calls.0.lock().paused.take().into_iter().for_each(Waker::wake);
        // Not `yield_now`: a call may occupy this thread, and the responses of the others must not wait for it.
        let others = yield_to_any_thread;
        let error = write_frames(&calls.0, &mut write_half, others, |_| Ok(()), wrote).await;
        Err(CallsError::Socket(error))
    });
    let mut busy = pin!(first_of(reading.as_mut(), writing.as_mut()));
    tokio::select! {
        biased;
        ended = busy.as_mut() => return ended,
        () = idle(&calls.0) => return Ok(()),
        () = stop.cancelled() => calls.push(&Frame::Stop),
    }
    timeout(STOP_TIMEOUT, busy).await.unwrap_or(Ok(()))
}

/// Lengths and block of a call.
const CALL_OVERHEAD: usize = 6;

/// Ends when no call has begun for some time and no call runs. Pings do not count.
async fn idle(state: &Mutex<State>) {
    let mut begun = 0;
    loop {
        sleep(IDLE_TIMEOUT).await;
        let state = state.lock();
        if replace(&mut begun, state.begun) == state.begun
            && state.slots.iter().all(Option::is_none)
        {
            return;
        }
    }
}

/// The running calls of a connection. They end with it.
struct Calls(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    outgoing: Outgoing,
    slots: Vec<Option<Running>>,
    /// The number of calls that have begun.
    begun: u64,
    /// The reader, while too many bytes wait.
    paused: Option<Waker>,
}

struct Running {
    id: u32,
    /// Unique in the connection, also if the service uses an id twice.
    serial: u64,
    /// The task, while it waits.
    task: Option<Waker>,
}

impl HasOutgoing for State {
    fn outgoing(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }
}

impl State {
    /// Removes a call that the service has cancelled.
    fn cancel(&mut self, id: u32) -> Option<Running> {
        self.slots.get_mut(slot(id))?.take_if(|running| running.id == id)
    }

    /// The entry of a call. It is `None`, or that of another call, after a cancel.
    fn entry(&mut self, id: u32, serial: u64) -> Option<&mut Option<Running>> {
        let entry = self.slots.get_mut(slot(id))?;
        entry.as_ref().is_some_and(|running| running.serial == serial).then_some(entry)
    }
}

impl Calls {
    fn push(&self, frame: &Frame<'_>) {
        push(&self.0, frame);
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        let ended = std::mem::take(&mut self.0.lock().slots);
        ended.into_iter().flatten().filter_map(|call| call.task).for_each(Waker::wake);
    }
}

fn push(state: &Mutex<State>, frame: &Frame<'_>) {
    let writer = {
        let mut state = state.lock();
        frame.write(state.outgoing.end());
        state.outgoing.writer()
    };
    writer.into_iter().for_each(Waker::wake);
}

/// The blocks of header lines of a connection.
#[derive(Default)]
struct Blocks {
    all: Vec<Option<Block>>,
    /// The lines of all blocks, in bytes.
    bytes: usize,
}

struct Block {
    headers: HeaderMap,
    bytes: usize,
}

impl Blocks {
    fn get(&self, number: u16) -> Option<&HeaderMap> {
        self.all.get(usize::from(number))?.as_ref().map(|block| &block.headers)
    }

    fn set(&mut self, number: usize, lines: &[u8]) -> Result<(), CallsError> {
        let bytes = lines.len();
        if number >= usize::from(BLOCKS) || bytes > MAX_LINES_BYTES {
            return Err(CallsError::Block);
        }
        if self.all.len() <= number {
            self.all.resize_with(number + 1, || None);
        }
        let Some(block) = self.all.get_mut(number) else { return Err(CallsError::Block) };
        self.bytes = self.bytes + bytes - block.as_ref().map_or(0, |block| block.bytes);
        if self.bytes > MAX_BLOCKS_BYTES {
            return Err(CallsError::Block);
        }
        let headers = lines::parse(lines).map_err(|_| CallsError::Lines)?;
        *block = Some(Block { headers, bytes });
        Ok(())
    }
}

/// The frames of the service.
struct Incoming<'a, H> {
    calls: &'a Calls,
    handle: H,
    tasks: &'a TaskTracker,
    blocks: Blocks,
    /// The last target: most calls have the same one.
    target: Option<(Box<[u8]>, Uri)>,
}

impl<H, F> Incoming<'_, H>
where
    H: FnOnce(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Bytes>> + Send + 'static,
{
    async fn read(
        mut self,
        mut reader: Reader,
        mut socket: Pin<&mut impl AsyncRead>,
    ) -> Result<(), CallsError> {
        // When the frame that has arrived in part must be complete.
        let mut deadline = None;
        loop {
            while let Some(frame) = reader.next()? {
                self.take(frame)?;
                deadline = None;
            }
            if self.room().await {
                deadline = None;
            }
            if reader.is_partial() && deadline.is_none() {
                deadline = Some(Instant::now() + FRAME_TIMEOUT);
            }
            let reading = poll_fn(|cx| reader.poll_read(cx, socket.as_mut()));
            let read = match deadline {
                None => reading.await?,
                Some(deadline) => {
                    timeout_at(deadline, reading).await.map_err(|_| CallsError::Slow)??
                }
            };
            if read == 0 {
                return Ok(());
            }
        }
    }

    /// Waits while too many bytes wait to be written. Returns whether that was so.
    async fn room(&self) -> bool {
        let mut has_waited = false;
        poll_fn(|cx| {
            let mut state = self.calls.0.lock();
            if state.outgoing.len() <= MAX_WAITING_BYTES {
                return Poll::Ready(());
            }
            has_waited = true;
            state.paused = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        has_waited
    }

    fn take(&mut self, frame: Frame<'_>) -> Result<(), CallsError> {
        match frame {
            Frame::Lines { block, lines } => self.blocks.set(block as usize, lines)?,
            Frame::Call { id, call } => {
                let request = self.request(call)?;
                self.start(id, request)?;
            }
            Frame::Cancel(id) => {
                let cancelled = self.calls.0.lock().cancel(id);
                cancelled.and_then(|call| call.task).into_iter().for_each(Waker::wake);
            }
            Frame::Ping => self.calls.push(&Frame::Pong),
            Frame::Response { .. } | Frame::TooLarge(_) | Frame::Stop | Frame::Pong => {
                return Err(CallsError::Direction);
            }
        }
        Ok(())
    }

    fn request(&mut self, call: Call<'_>) -> Result<Request<Bytes>, CallsError> {
        let block = self.blocks.get(call.block);
        let mut headers = block.ok_or(CallsError::Block)?.clone();
        lines::replace(&mut headers, call.lines).map_err(|_| CallsError::Lines)?;
        let uri = match &self.target {
            Some((target, uri)) if **target == *call.target => uri.clone(),
            _ => {
                let uri = Uri::try_from(call.target).map_err(|_| CallsError::Target)?;
                self.target = Some((call.target.into(), uri.clone()));
                uri
            }
        };
        let mut request = Request::new(Bytes::copy_from_slice(call.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn start(&self, id: u32, request: Request<Bytes>) -> Result<(), CallsError> {
        let index = slot(id);
        let serial = {
            let mut state = self.calls.0.lock();
            if state.slots.len() <= index {
                state.slots.resize_with((index + 1).next_power_of_two().min(SLOTS), || None);
            }
            state.begun += 1;
            let serial = state.begun;
            match state.slots.get_mut(index) {
                Some(free @ None) => *free = Some(Running { id, serial, task: None }),
                _ => return Err(CallsError::Slot),
            }
            serial
        };
        let unanswered = Unanswered { state: Some(Arc::clone(&self.calls.0)), id, serial };
        let handle = self.handle.clone();
        self.tasks.spawn(async move {
            // Here, so that a panic in it concerns only this call.
            let mut answering = pin!(handle(request));
            let response = poll_fn(|cx| match answering.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                // After the poll: a call that has arrived starts, even if its cancel has arrived, too.
                Poll::Pending if unanswered.is_wanted(cx) => Poll::Pending,
                Poll::Pending => Poll::Ready(None),
            });
            if let Some(response) = response.await {
                unanswered.answer(&response);
            }
        });
        Ok(())
    }
}

/// A call without a response. If the value is dropped because its task has panicked, the response has status 500.
struct Unanswered {
    state: Option<Arc<Mutex<State>>>,
    id: u32,
    serial: u64,
}

impl Unanswered {
    /// Whether the service waits for the response. If so, the task is woken when that changes.
    fn is_wanted(&self, cx: &Context<'_>) -> bool {
        let Some(state) = &self.state else { return false };
        let mut state = state.lock();
        let Some(Some(running)) = state.entry(self.id, self.serial) else { return false };
        if running.task.as_ref().is_none_or(|task| !task.will_wake(cx.waker())) {
            running.task = Some(cx.waker().clone());
        }
        true
    }

    fn answer(mut self, response: &Response<Bytes>) {
        self.send(response.status(), response.body());
    }

    fn send(&mut self, status: StatusCode, body: &[u8]) {
        let Some(state) = self.state.take() else { return };
        let id = self.id;
        let frame = match body.len() > MAX_RESPONSE_BYTES {
            true => Frame::TooLarge(id),
            false => Frame::Response { id, status: status.as_u16(), body },
        };
        let writer = {
            let mut state = state.lock();
            // Under one lock: the service may use the slot again as soon as it has the response.
            let Some(entry) = state.entry(id, self.serial) else { return };
            *entry = None;
            frame.write(state.outgoing.end());
            state.outgoing.writer()
        };
        writer.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.send(StatusCode::INTERNAL_SERVER_ERROR, &[]);
    }
}
