//! Hub methods as functions of a test client.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{self, Poll},
};

use bytes::Bytes;
use hub_core::{
    private::{Arguments, IgnoredAny},
    protocol::Outcome,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    TestClient, TestFailure,
    connection::{Shared, read},
};

/// A hub whose methods are functions of its test clients, see [`TestClient::call`].
///
/// Implemented by `#[serverless_hub]`; do not implement it by hand.
pub trait TypedHub: Sized {
    #[doc(hidden)]
    type Methods<'c>
    where
        Self: 'c;

    #[doc(hidden)]
    fn methods(client: &TestClient<Self>) -> Self::Methods<'_>;
}

/// A value for an argument of type `T`: a `T`, a `&T`, or for a `String` also a `&str`. `T` implements `Serialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a value for this argument of the hub method",
    label = "expected a `{T}` that implements `serde::Serialize`",
    note = "to send a value of another type, call the method by its name: `client.invoke(\"…\", (…,))`"
)]
pub trait TestArgument<T: ?Sized> {
    #[doc(hidden)]
    fn push(self, arguments: Arguments) -> Arguments;
}

impl<T: Serialize> TestArgument<T> for T {
    fn push(self, arguments: Arguments) -> Arguments {
        arguments.push(&self)
    }
}

impl<T: Serialize> TestArgument<T> for &T {
    fn push(self, arguments: Arguments) -> Arguments {
        arguments.push(self)
    }
}

impl TestArgument<String> for &str {
    fn push(self, arguments: Arguments) -> Arguments {
        arguments.push(self)
    }
}

/// A call of a hub method that is not sent yet. `.await` sends it, waits for the result and returns it, or the error
/// text that the client receives.
///
/// `Q` is the return type of the method.
#[must_use = "a call is sent when it is awaited"]
pub struct TestCall<'c, Q> {
    shared: &'c Shared,
    method: &'static str,
    /// The encoded argument array, or why an argument was not encoded.
    arguments: Result<Bytes, TestFailure>,
    running: Option<Running<'c>>,
    reply: PhantomData<fn() -> Q>,
}

impl<'c, Q> fmt::Debug for TestCall<'c, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestCall({})", self.method)
    }
}

type Running<'c> = Pin<Box<dyn Future<Output = Result<Outcome, TestFailure>> + Send + 'c>>;

impl<'c, Q> TestCall<'c, Q> {
    #[doc(hidden)]
    pub fn new<H>(client: &'c TestClient<H>, method: &'static str, arguments: Arguments) -> Self {
        let arguments = arguments.into_json().map_err(TestFailure::new);
        Self { shared: &client.shared, method, arguments, running: None, reply: PhantomData }
    }

    /// A call whose only argument is the list of all arguments.
    #[doc(hidden)]
    pub fn of_list<H>(
        client: &'c TestClient<H>,
        method: &'static str,
        arguments: Arguments,
    ) -> Self {
        let call = Self::new(client, method, arguments);
        let arguments = call.arguments.and_then(|array| {
            let list = array.slice(1..array.len() - 1);
            match list.first() {
                Some(b'[') => Ok(list),
                None => Ok(array),
                Some(_) => Err(TestFailure::new("the value for all arguments is not a list")),
            }
        });
        Self { arguments, ..call }
    }

    /// Sends the call without waiting for its result, as [`TestClient::send`] does.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn send(self) -> Result<(), TestFailure> {
        self.shared.send(self.method, self.arguments?).await
    }

    /// Sends the call, and reads its result as another type than that of the method. For results that implement
    /// `Serialize` only, and for tests of their form: `.decode::<serde_json::Value>()`.
    ///
    /// # Errors
    /// The error text that the client receives.
    pub async fn decode<R: DeserializeOwned>(self) -> Result<R, TestFailure> {
        read(self.shared.invoke(self.method, self.arguments?).await?)
    }
}

impl<Q: TestReply> Future for TestCall<'_, Q> {
    type Output = Result<Q::Value, TestFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        let Self { shared, method, arguments, running, .. } = &mut *self;
        let running = running.get_or_insert_with(|| {
            let (shared, method, arguments) = (*shared, *method, arguments.clone());
            Box::pin(async move { shared.invoke(method, arguments?).await })
        });
        running.as_mut().poll(context).map(|outcome| read(outcome?))
    }
}

/// The return type of a hub method whose result a test can read: `()`, or a `Result` whose value implements
/// `Deserialize`. The result of a method that returns `impl Serialize` is a [`Value`].
pub trait TestReply {
    #[doc(hidden)]
    type Value: DeserializeOwned;
}

impl TestReply for () {
    type Value = ();
}

impl TestReply for IgnoredAny {
    type Value = Value;
}

impl<T: Readable, E> TestReply for Result<T, E> {
    type Value = T;
}

/// A type that a test client can read.
#[diagnostic::on_unimplemented(
    message = "a test client cannot read a `{Self}`; derive `serde::Deserialize` for it, or read the result as another type: `.decode::<serde_json::Value>()`",
    label = "the result is a `{Self}`, which does not implement `serde::Deserialize`"
)]
pub trait Readable: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Readable for T {}
