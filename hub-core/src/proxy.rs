//! Proxies: sending to a selected set of clients.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{
    names::NameError,
    outbound::{InvokeError, Outbound, SendError, Target},
    payload::{ArgumentList, Arguments, Payload},
    reading,
};

/// A hub name, and the interface through which messages are sent.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) outbound: Arc<dyn Outbound>,
    /// The hub name, lower-case, as the service uses it.
    pub(crate) hub: Arc<str>,
}

/// A set of clients to send to. `C` is the client trait, `T` is [`One`] or [`Many`].
///
/// The client trait (`#[hub_client]`) adds typed methods. [`Self::send`] is untyped.
#[must_use = "a proxy sends nothing by itself"]
pub struct Proxy<C: ?Sized, T> {
    link: Link,
    /// An invalid name is reported by the send, because the methods that select a target return no `Result`.
    target: Result<Target, NameError>,
    _client: Marker<C, T>,
}

impl<C: ?Sized, T> fmt::Debug for Proxy<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}, {:?})", self.link.hub, self.target)
    }
}

/// Keeps a proxy `Send` for every client trait.
type Marker<C, T> = PhantomData<fn() -> (Box<C>, T)>;

/// Exactly one connection, whose client methods can return a result.
#[derive(Clone, Copy, Debug)]
pub enum One {}

/// Any number of connections.
#[derive(Clone, Copy, Debug)]
pub enum Many {}

/// [`One`] or [`Many`].
pub trait Audience: sealed::Sealed {}

impl Audience for One {}
impl Audience for Many {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::One {}
    impl Sealed for super::Many {}
    impl<C: ?Sized> Sealed for super::Proxy<C, super::One> {}
}

/// A proxy of exactly one connection.
#[diagnostic::on_unimplemented(
    message = "a client result needs exactly one connection; use `clients().client(connection_id)`",
    label = "this may reach any number of clients"
)]
pub trait SingleConnection: sealed::Sealed {}

impl<C: ?Sized> SingleConnection for Proxy<C, One> {}

impl<C: ?Sized, T> Proxy<C, T> {
    pub(crate) fn new(link: Link, target: Result<Target, NameError>) -> Self {
        Self { link, target, _client: PhantomData }
    }

    /// Sends an event by name, without waiting for any client: `send("newMessage", ("rust", "hi"))`.
    pub fn send(&self, event: &str, arguments: impl ArgumentList) -> SendFuture {
        self.send_encoded(event, arguments.encode())
    }

    pub(crate) fn send_encoded(&self, event: &str, arguments: Arguments) -> SendFuture {
        let ready = self.target.clone().map_err(SendError::from);
        let ready = ready.and_then(|target| Ok((target, arguments.into_payload(event)?)));
        let link = self.link.clone();
        SendFuture(Box::pin(async move {
            let (target, payload) = ready?;
            link.outbound.send(&link.hub, target, payload).await
        }))
    }

    pub(crate) fn invoke_encoded<R>(&self, event: &str, arguments: Arguments) -> InvokeFuture<R> {
        let ready = match self.target.clone() {
            Ok(Target::Connection(id)) => {
                arguments.into_payload(event).map(|payload| (id, payload))
            }
            // Unreachable in typed code, because of the bound `SingleConnection`.
            Ok(_) => Err(SendError::ConnectionGone),
            Err(name) => Err(name.into()),
        };
        let request = InvokeRequest { link: self.link.clone(), ready, timeout: None };
        InvokeFuture { state: InvokeState::Prepared(Some(request)), _result: PhantomData }
    }
}

impl<C: ?Sized> Proxy<C, One> {
    /// Invokes a client method by name and waits for its result: `invoke::<bool>("confirm", ("Sure?",))`.
    pub fn invoke<R: DeserializeOwned>(
        &self,
        event: &str,
        arguments: impl ArgumentList,
    ) -> InvokeFuture<R> {
        self.invoke_encoded(event, arguments.encode())
    }
}

/// The future of a send. The arguments are already encoded, but nothing is sent until the future is awaited.
#[must_use = "nothing is sent until this is awaited"]
pub struct SendFuture(Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>);

impl fmt::Debug for SendFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendFuture")
    }
}

impl Future for SendFuture {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

/// The future of an invocation of a client method. Nothing is sent until the future is awaited.
#[must_use = "nothing is sent until this is awaited"]
pub struct InvokeFuture<R> {
    state: InvokeState,
    _result: PhantomData<fn() -> R>,
}

impl<R> fmt::Debug for InvokeFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvokeFuture")
    }
}

enum InvokeState {
    Prepared(Option<InvokeRequest>),
    Running(Pin<Box<dyn Future<Output = Result<Bytes, InvokeError>> + Send>>),
}

struct InvokeRequest {
    link: Link,
    ready: Result<(String, Payload), SendError>,
    timeout: Option<Duration>,
}

impl<R> InvokeFuture<R> {
    /// Sets how long to wait for the result. Defaults to 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let InvokeState::Prepared(Some(request)) = &mut self.state {
            request.timeout = Some(timeout);
        }
        self
    }
}

impl<R: DeserializeOwned> Future for InvokeFuture<R> {
    type Output = Result<R, InvokeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let InvokeState::Prepared(request) = &mut self.state
            && let Some(request) = request.take()
        {
            self.state = InvokeState::Running(Box::pin(request.run()));
        }
        let InvokeState::Running(running) = &mut self.state else { return Poll::Pending };
        running.as_mut().poll(cx).map(|answer| {
            let answer = answer?;
            reading::client_result(&answer).map_err(InvokeError::Decode)
        })
    }
}

impl InvokeRequest {
    async fn run(self) -> Result<Bytes, InvokeError> {
        let (connection_id, payload) = self.ready?;
        self.link.outbound.invoke(&self.link.hub, &connection_id, payload, self.timeout).await
    }
}
