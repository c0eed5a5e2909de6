//! A mounted hub: the hub value and its filters, with an object-safe interface.

use std::{
    any::Any,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
};

use crate::{
    Client, Context, Hub, HubContext, HubContract, HubError, Invocation, NegotiateRequest,
    Negotiation, RefreshRequest, args::Args, filter::Filters, hub::Category,
    invocation::InvocationParts, names, outbound::Outbound, panics::catching,
    reading::MethodReading, reply::Reply, shape::Schemas, upstream::CONNECTED,
};

/// A hub that can be called without knowing its type.
#[doc(hidden)]
pub trait MountedHub: Send + Sync {
    /// The type's name, as written.
    fn name(&self) -> &'static str;

    /// The path of the type.
    fn type_name(&self) -> &'static str;

    /// The name of the setting with the hub's connection string.
    fn connection(&self) -> &'static str;

    /// The methods of the hub.
    fn methods(&self) -> &[MethodInfo];

    /// The row of the method for an event, compared ignoring case and `_`.
    fn find(&self, category: Category, event: &str) -> Option<usize>;

    /// Creates a call, which runs the filters and the method. Without a row (a `connected` event without a
    /// method), only the block's filters run.
    fn call(
        self: Arc<Self>,
        row: Option<usize>,
        parts: InvocationParts,
        outbound: Arc<dyn Outbound>,
        wire_name: Arc<str>,
    ) -> HubCall;

    /// Runs the hub's `negotiate`. Returns `None` if the hub has no `negotiate`.
    fn negotiate(
        self: Arc<Self>,
        request: NegotiateRequest,
    ) -> Option<Owned<Result<Negotiation, HubError>>>;

    /// Runs the hub's `refresh`. Returns `None` if the hub has no `refresh`.
    fn refresh(
        self: Arc<Self>,
        request: RefreshRequest,
    ) -> Option<Owned<Result<Negotiation, HubError>>>;

    /// Returns the contract of the hub, and adds the schemas of its types to `schemas`.
    fn describe(&self, schemas: &mut Schemas) -> HubContract;

    /// Whether the hub has a `negotiate`.
    fn negotiates(&self) -> bool;

    /// Whether the hub has a `refresh`.
    fn refreshes(&self) -> bool;

    /// Whether filters of the app or the block, or a method, can refuse a connection.
    fn judges_connections(&self) -> bool;

    /// Adds the app's filters around the filters of the hub.
    fn surround(&mut self, outer: &Filters);

    /// The hub value.
    fn value(&self) -> Arc<dyn Any + Send + Sync>;
}

/// A boxed future without borrows.
#[doc(hidden)]
pub type Owned<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A call of a hub.
#[doc(hidden)]
pub struct HubCall {
    pub invocation: Arc<Invocation>,
    /// Runs the filters and the method.
    pub outcome: Owned<Result<Reply, HubError>>,
}

impl fmt::Debug for HubCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.invocation, f)
    }
}

/// One row of the table, without its types.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    pub name: &'static str,
    pub category: Category,
    /// Whether the method receives all messages for which the hub has no method.
    pub fallback: bool,
    pub params: &'static [&'static str],
    pub docs: &'static str,
}

/// A hub value with its filters and the index of its names.
#[doc(hidden)]
pub struct Mounted<H: Hub> {
    hub: Arc<H>,
    methods: Vec<MethodInfo>,
    /// How the arguments of each row are read.
    readings: Vec<Arc<MethodReading>>,
    /// The filters of the app and the block.
    block: Filters,
    /// All filters of each row: the filters of the app, the block and the method.
    filters: Vec<Filters>,
    /// The matching form of each method name, and the row of the method. Sorted by matching form.
    messages: Vec<(String, usize)>,
    /// The row of the fallback.
    fallback: Option<usize>,
}

impl<H: Hub> fmt::Debug for Mounted<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mounted({})", H::NAME)
    }
}

impl<H: Hub> Mounted<H> {
    /// Mounts a hub and creates its filters.
    pub fn new(hub: H) -> Self {
        let block = H::filters();
        let mut messages = Vec::new();
        let mut methods = Vec::new();
        let mut filters = Vec::new();
        let mut readings = Vec::new();
        let mut fallback = None;
        for (row, method) in H::METHODS.iter().enumerate() {
            if method.fallback {
                fallback = Some(row);
            } else if method.category == Category::Message {
                messages.push((names::matching_form(method.name), row));
            }
            methods.push(MethodInfo {
                name: method.name,
                category: method.category,
                fallback: method.fallback,
                params: method.params,
                docs: method.docs,
            });
            let reading = MethodReading::new(H::NAME, method.name, method.exact_names);
            readings.push(Arc::new(reading));
            filters.push(match method.category {
                Category::Message | Category::Connected => block.around((method.filters)()),
                // `disconnected` is never refused, because cleanup must run. `refreshed` is never refused, because
                // the method needs the claims that filters refuse.
                Category::Disconnected | Category::Refreshed => Filters::new(),
            });
        }
        messages.sort_unstable();
        Self { hub: Arc::new(hub), methods, readings, block, filters, messages, fallback }
    }

    /// The hub value.
    #[must_use]
    pub fn hub(&self) -> &Arc<H> {
        &self.hub
    }
}

impl<H: Hub> MountedHub for Mounted<H> {
    fn name(&self) -> &'static str {
        H::NAME
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<H>()
    }

    fn connection(&self) -> &'static str {
        H::CONNECTION
    }

    fn methods(&self) -> &[MethodInfo] {
        &self.methods
    }

    fn find(&self, category: Category, event: &str) -> Option<usize> {
        match category {
            Category::Message => {
                let named = |(form, _): &(String, usize)| names::compare_matching(form, event);
                let found = self.messages.binary_search_by(named).ok();
                found.map(|index| self.messages[index].1).or(self.fallback)
            }
            Category::Connected | Category::Disconnected | Category::Refreshed => {
                self.methods.iter().position(|method| method.category == category)
            }
        }
    }

    fn call(
        self: Arc<Self>,
        row: Option<usize>,
        parts: InvocationParts,
        outbound: Arc<dyn Outbound>,
        wire_name: Arc<str>,
    ) -> HubCall {
        let method = row.and_then(|row| self.readings.get(row)).cloned();
        let invocation = Arc::new(Invocation::of_method(parts, self.value(), method));
        let context = Context::new(HubContext::new(outbound, wire_name), Arc::clone(&invocation));
        let outcome = Box::pin(async move {
            let invocation = context.invocation();
            let Some(row) = row else {
                return guarded(&self.block, invocation, pin!(async { Ok(Reply::Void) })).await;
            };
            let (Some(method), Some(filters)) = (H::METHODS.get(row), self.filters.get(row)) else {
                return Err(HubError::panicked("the method table has no such row".to_owned()));
            };
            let call = pin!(async {
                let arguments = Args::of(invocation, method.params.len())?;
                (method.call)(&self.hub, &context, arguments).await
            });
            guarded(filters, invocation, call).await
        });
        HubCall { invocation, outcome }
    }

    fn negotiate(
        self: Arc<Self>,
        request: NegotiateRequest,
    ) -> Option<Owned<Result<Negotiation, HubError>>> {
        let negotiate = H::NEGOTIATE?;
        Some(Box::pin(async move { negotiate(&self.hub, request).await }))
    }

    fn refresh(
        self: Arc<Self>,
        request: RefreshRequest,
    ) -> Option<Owned<Result<Negotiation, HubError>>> {
        let refresh = H::REFRESH?;
        Some(Box::pin(async move { refresh(&self.hub, request).await }))
    }

    fn describe(&self, schemas: &mut Schemas) -> HubContract {
        let shapes = H::METHODS.iter().map(|method| method.shape);
        let rows: Vec<_> = self.methods.iter().zip(shapes).collect();
        let calls = <H::Client as Client>::CALLS;
        HubContract::new(H::NAME, H::DOCS, self.negotiates(), &rows, calls, schemas)
    }

    fn negotiates(&self) -> bool {
        H::NEGOTIATE.is_some()
    }

    fn refreshes(&self) -> bool {
        H::REFRESH.is_some()
    }

    fn judges_connections(&self) -> bool {
        !self.block.0.is_empty() || self.find(Category::Connected, CONNECTED).is_some()
    }

    fn surround(&mut self, outer: &Filters) {
        for (filters, method) in self.filters.iter_mut().zip(&self.methods) {
            if !matches!(method.category, Category::Disconnected | Category::Refreshed) {
                *filters = outer.around(std::mem::take(filters));
            }
        }
        self.block = outer.around(std::mem::take(&mut self.block));
    }

    fn value(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(&self.hub) as _
    }
}

/// Runs the call if every filter allows it. Then runs `after` of the filters that allowed it, even if the
/// call panicked.
///
/// The call is passed by reference: a future that is passed by value is stored once more in each function. Its type is
/// erased, so that this function is compiled once and not for each hub.
async fn guarded(
    filters: &Filters,
    invocation: &Invocation,
    call: Pin<&mut (dyn Future<Output = Result<Reply, HubError>> + Send)>,
) -> Result<Reply, HubError> {
    let mut passed = 0;
    let mut refusal = None;
    for filter in &filters.0 {
        // Within the async block, a panic of `before` is also caught before its first await.
        if let Err(refused) = catching(async { filter.before(invocation).await }).await {
            refusal = Some(refused.by_filter(filter.name()));
            break;
        }
        passed += 1;
    }
    let outcome = match refusal {
        Some(refused) => Err(refused),
        None => catching(call).await,
    };
    for filter in filters.0.iter().take(passed).rev() {
        let ended = outcome.as_ref().map(|_| ());
        let looked = catching(async {
            filter.after(invocation, ended).await;
            Ok(())
        });
        // A panic of `after` does not change the outcome, and the remaining filters run.
        if let Err(panicked) = looked.await {
            tracing::error!(
                filter = filter.name(),
                cause = panicked.chain(),
                "filter panicked after its call"
            );
        }
    }
    outcome
}
