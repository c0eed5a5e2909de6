//! Filters: code that runs before and after hub methods.

mod maintenance;
mod rate_limit;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

pub use self::{maintenance::Maintenance, rate_limit::RateLimit};
use crate::{HubError, HubResult, Invocation, hub::AsyncMethod};

/// Decides whether a call reaches its hub method. A filter is written as `#[filter(expression)]` on a method
/// or an `impl` block, or is added to the app for all its hubs.
///
/// The expression is evaluated once, when the hub is mounted, so a filter can have state. Filters run
/// before the arguments are decoded, outer first: the filters of the app, of the block, and of the method.
/// `after` runs in reverse order. Filters of the app and the block also run for new connections, even if
/// the hub has no `on_connected`. A connection for which a filter returns an error or panics is closed.
///
/// A filter receives the [`Invocation`]: the caller with claims, query and headers, the arguments (raw, or
/// decoded on demand), and the hub value.
///
/// | Ready-made | Lets through |
/// |---|---|
/// | [`SignedIn`] | connections with a user id |
/// | [`RequireClaim`] | connections with a claim of this value |
/// | [`RateLimit`] | a number of calls per period: per connection, user or method |
/// | [`Maintenance`] | everything, until it is switched on |
///
/// ```
/// use hub_core::{Filter, HubError, HubResult, Invocation};
///
/// pub struct OnlyFrom(pub &'static str);
///
/// impl Filter for OnlyFrom {
///     async fn before(&self, call: &Invocation) -> HubResult {
///         if call.query().get("from") == Some(self.0) { Ok(()) } else { Err(HubError::denied("Not from here")) }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a hub filter; implement `Filter` for a type of your own",
    label = "this expression is not a `Filter`",
    note = "stock filters are `SignedIn`, `RequireClaim(\"role\", \"admin\")`, `RateLimit` and `Maintenance`"
)]
pub trait Filter: Send + Sync {
    /// Decides whether the call continues.
    ///
    /// # Errors
    /// An error refuses the call: neither inner filters nor the method run. The client receives
    /// `403 Forbidden:` and the text, also for [`HubError::rejected`], or `429 Too Many Requests:` for
    /// [`HubError::throttled`]. The text of an internal error or a panic is only logged.
    fn before(&self, call: &Invocation) -> impl AsyncMethod<HubResult> + Send;

    /// Observes the outcome of a call that this filter let through, without changing it. A panic is
    /// logged and ignored.
    fn after(
        &self,
        call: &Invocation,
        outcome: Result<(), &HubError>,
    ) -> impl AsyncMethod<()> + Send {
        let _ = (call, outcome);
        Unobserved
    }
}

/// Allows only connections with a user id.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignedIn;

impl Filter for SignedIn {
    async fn before(&self, call: &Invocation) -> HubResult {
        match call.user_id() {
            Some(_) => Ok(()),
            None => Err(HubError::unauthenticated("Sign in first")),
        }
    }
}

/// Allows only connections with a claim of this type and value.
#[derive(Clone, Debug)]
pub struct RequireClaim<T, V>(pub T, pub V);

impl<T, V> Filter for RequireClaim<T, V>
where
    T: AsRef<str> + Send + Sync,
    V: AsRef<str> + Send + Sync,
{
    async fn before(&self, call: &Invocation) -> HubResult {
        let (claim_type, value) = (self.0.as_ref(), self.1.as_ref());
        if call.claims().has(claim_type, value) {
            return Ok(());
        }
        Err(HubError::denied(format_args!("this needs {claim_type} `{value}`")))
    }
}

/// Shares one filter and its state between several places.
impl<F: Filter> Filter for Arc<F> {
    fn before(&self, call: &Invocation) -> impl AsyncMethod<HubResult> + Send {
        Filter::before(&**self, call)
    }

    fn after(
        &self,
        call: &Invocation,
        outcome: Result<(), &HubError>,
    ) -> impl AsyncMethod<()> + Send {
        Filter::after(&**self, call, outcome)
    }
}

/// The future of a filter that does not observe outcomes. It has no size, so its box needs no allocation.
struct Unobserved;

impl Future for Unobserved {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// The filters of a method or a block, outer first.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct Filters(pub(crate) Vec<Arc<dyn ErasedFilter>>);

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filters({})", self.0.len())
    }
}

impl Filters {
    /// No filters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an inner filter.
    #[must_use]
    pub fn with<F: Filter + 'static>(mut self, filter: F) -> Self {
        self.0.push(Arc::new(filter));
        self
    }

    /// These filters around `inner`.
    pub(crate) fn around(&self, inner: Self) -> Self {
        Self(self.0.iter().cloned().chain(inner.0).collect())
    }
}

type FilterFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Filter`] in object-safe form.
pub(crate) trait ErasedFilter: Send + Sync {
    /// The filter's type, without its path.
    fn name(&self) -> &'static str;
    fn before<'a>(&'a self, call: &'a Invocation) -> FilterFuture<'a, HubResult>;
    fn after<'a>(
        &'a self,
        call: &'a Invocation,
        outcome: Result<(), &'a HubError>,
    ) -> FilterFuture<'a, ()>;
}

impl<F: Filter> ErasedFilter for F {
    fn name(&self) -> &'static str {
        let whole = std::any::type_name::<F>();
        let path = whole.split('<').next().unwrap_or(whole);
        path.rsplit("::").next().unwrap_or(path)
    }

    fn before<'a>(&'a self, call: &'a Invocation) -> FilterFuture<'a, HubResult> {
        Box::pin(Filter::before(self, call))
    }

    fn after<'a>(
        &'a self,
        call: &'a Invocation,
        outcome: Result<(), &'a HubError>,
    ) -> FilterFuture<'a, ()> {
        Box::pin(Filter::after(self, call, outcome))
    }
}
