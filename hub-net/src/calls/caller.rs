//! The service's side of a connection.

use std::{
    fmt,
    future::poll_fn,
    io,
    mem::{MaybeUninit, replace},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::{
    io::AsyncRead,
    net::{TcpStream, tcp::WriteHalf},
    task::yield_now,
    time::sleep,
};

pub use super::new_call::Block;
use super::{
    CallsError, MAX_RESPONSE_BYTES,
    frame::Frame,
    outgoing::{first_of, write_frames},
    reader::Reader,
    slot,
    slots::{Outcome, Phase, SlotState, State, Ticks},
};
pub(crate) use super::{new_call::NewCall, slots::CallError};
use crate::client::Unanswered;

/// How often the state of a connection is checked.
const TICK: Duration = Duration::from_secs(1);
/// The status of a response.
const STATUS_BYTES: usize = 2;

/// A connection for calls.
#[derive(Default)]
pub(crate) struct CallConnection(Mutex<State>);

/// Without the bytes, which contain signatures, claims, arguments and results.
impl fmt::Debug for CallConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallConnection")
            .field("phase", &self.0.lock().phase)
            .finish_non_exhaustive()
    }
}

impl CallConnection {
    /// Whether calls can begin, and no replacement is wanted.
    pub(crate) fn is_fresh(&self) -> bool {
        self.0.lock().phase == Phase::Open
    }

    /// Whether the app has not accepted the upgrade yet.
    pub(crate) fn is_opening(&self) -> bool {
        self.0.lock().phase == Phase::Opening
    }

    /// Whether a replacement is wanted.
    pub(crate) fn is_aged(&self) -> bool {
        self.0.lock().phase == Phase::Aged
    }

    /// The app has accepted the upgrade.
    pub(crate) fn opened(&self) {
        self.0.lock().phase = Phase::Open;
    }

    /// Whether the connection has ended after one of both sides wanted that.
    pub(crate) fn was_retired(&self) -> bool {
        self.0.lock().was_retired
    }

    /// No further calls begin. The connection ends after the last response.
    pub(crate) fn retire(&self) {
        let mut state = self.0.lock();
        if state.phase != Phase::Ended {
            state.phase = Phase::Retired;
        }
    }

    /// Sends a call. `None` if the connection takes no calls now, or the call is too large for it.
    pub(crate) fn begin(self: &Arc<Self>, call: &NewCall<'_>) -> Option<RunningCall> {
        if !call.fits() {
            return None;
        }
        let (id, writer) = {
            let mut state = self.0.lock();
            if !state.takes_calls() {
                return None;
            }
            (state.begin(call)?, state.outgoing.writer())
        };
        writer.into_iter().for_each(Waker::wake);
        Some(RunningCall { connection: Arc::clone(self), id })
    }

    /// Reads and writes until the connection ends. `arrived` are bytes that were read before.
    ///
    /// # Errors
    /// When the connection breaks, or the peer does not follow the protocol. Calls without a response then fail.
    pub(crate) async fn drive(
        &self,
        mut stream: TcpStream,
        arrived: Vec<u8>,
    ) -> Result<(), CallsError> {
        let _ended = EndOfCalls(self);
        let (mut read_half, mut write_half) = stream.split();
        let reader = Reader::new(arrived, MAX_RESPONSE_BYTES + STATUS_BYTES);
        let mut reading = pin!(self.read(reader, Pin::new(&mut read_half)));
        let mut writing = pin!(async {
            let check = |socket: &WriteHalf<'_>| is_open(socket.as_ref());
            // With `yield_now`, the runtime polls sockets first: clients may have sent further calls.
            Err(write_frames(&self.0, &mut write_half, yield_now, check, || {}).await.into())
        });
        tokio::select! {
            biased;
            ended = first_of(reading.as_mut(), writing.as_mut()) => ended,
            () = self.watch() => Ok(()),
        }
    }

    async fn read(
        &self,
        mut reader: Reader,
        mut socket: Pin<&mut impl AsyncRead>,
    ) -> Result<(), CallsError> {
        let (mut read, mut wakers) = (Read::default(), Vec::new());
        loop {
            let taken = read.take(&mut reader);
            // Responses before an invalid frame are valid.
            let ended = read.apply(&mut self.0.lock(), &mut wakers);
            wakers.drain(..).for_each(Waker::wake);
            let ended = ended?;
            taken?;
            if ended {
                return Ok(());
            }
            if poll_fn(|cx| reader.poll_read(cx, socket.as_mut())).await? == 0 {
                let closed = io::Error::new(io::ErrorKind::UnexpectedEof, Unanswered::New);
                return Err(closed.into());
            }
        }
    }

    /// Ends when the connection is not needed.
    async fn watch(&self) {
        let mut ticks = Ticks::default();
        loop {
            sleep(TICK).await;
            let (goes_on, writer) = ticks.next(&mut self.0.lock());
            writer.into_iter().for_each(Waker::wake);
            if !goes_on {
                return;
            }
        }
    }
}

/// What the frames of one read say.
#[derive(Default)]
struct Read {
    outcomes: Vec<(u32, Outcome)>,
    stops: bool,
}

impl Read {
    /// Takes the frames that have arrived, until one is invalid.
    fn take(&mut self, reader: &mut Reader) -> Result<(), CallsError> {
        while let Some(frame) = reader.next()? {
            match frame {
                Frame::Response { id, status, body } => {
                    let status = StatusCode::from_u16(status).map_err(|_| CallsError::Status)?;
                    self.outcomes.push((id, Ok((status, Bytes::copy_from_slice(body)))));
                }
                Frame::TooLarge(id) => self.outcomes.push((id, Err(CallError::TooLarge))),
                Frame::Stop => self.stops = true,
                Frame::Pong => {}
                Frame::Lines { .. } | Frame::Call { .. } | Frame::Cancel(_) | Frame::Ping => {
                    return Err(CallsError::Direction);
                }
            }
        }
        Ok(())
    }

    /// Sets the outcomes, also those after an invalid number. Returns whether the connection has ended.
    fn apply(&mut self, state: &mut State, wakers: &mut Vec<Waker>) -> Result<bool, CallsError> {
        state.has_read = true;
        let mut result = Ok(());
        for (id, outcome) in self.outcomes.drain(..) {
            if slot(id) >= state.slots.len() {
                result = Err(CallsError::Slot);
            }
            // A response to a cancelled call may still arrive.
            wakers.extend(state.finish(id, outcome));
        }
        if std::mem::take(&mut self.stops) {
            state.phase = Phase::Retired;
        }
        result.map(|()| state.phase == Phase::Retired && state.running == 0)
    }
}

/// Ends the calls of a connection.
struct EndOfCalls<'a>(&'a CallConnection);

impl Drop for EndOfCalls<'_> {
    fn drop(&mut self) {
        let mut wakers = Vec::new();
        {
            let mut state = self.0.0.lock();
            let state = &mut *state;
            state.was_retired = state.phase == Phase::Retired;
            state.phase = Phase::Ended;
            for slot in &mut state.slots {
                if let SlotState::Waiting { begun, waker } = &mut slot.state {
                    wakers.extend(waker.take());
                    let error = match state.outgoing.is_unsent(*begun) {
                        true => CallError::Unsent,
                        false => CallError::Interrupted(Unanswered::New.into_io().into()),
                    };
                    slot.state = SlotState::Done(Err(error));
                }
            }
            state.running = 0;
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Asks the system whether the app has closed the connection, because the runtime may not have noticed it yet.
fn is_open(stream: &TcpStream) -> io::Result<()> {
    match SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// A call that was sent. Dropping it before its end tells the app that its response is not awaited.
#[derive(Debug)]
pub(crate) struct RunningCall {
    connection: Arc<CallConnection>,
    id: u32,
}

impl Future for RunningCall {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.connection.0.lock();
        let state = &mut *state;
        let index = slot(self.id);
        let found = state.slots.get_mut(index).filter(|slot| slot.id == self.id);
        let Some(slot) = found else { return Poll::Pending };
        match &mut slot.state {
            SlotState::Waiting { waker, .. } => {
                if waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            SlotState::Done(_) => {
                let SlotState::Done(outcome) = replace(&mut slot.state, SlotState::Free) else {
                    return Poll::Pending;
                };
                state.free.push(index);
                Poll::Ready(outcome)
            }
            // Polled after its end.
            SlotState::Free => Poll::Pending,
        }
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let writer = self.connection.0.lock().leave(self.id);
        writer.into_iter().for_each(Waker::wake);
    }
}
