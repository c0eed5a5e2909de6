//! The items that macro expansions use. Not public API: it changes without notice.

pub use ::core::{
    convert::From,
    default::Default,
    future::Future,
    marker::{Send, Sized, Sync},
    option::Option::{self, None, Some},
    result::Result::{self, Err, Ok},
};
pub use ::std::boxed::Box;

use serde::de::DeserializeOwned;

pub use crate::{
    args::{Args, HubArg},
    context::{Context, HubContext},
    error::{HubError, HubResult, IntoHubError},
    extract::FromContext,
    filter::{Filter, Filters},
    hub::{
        CallFuture, Category, Client, ClientCall, CloseReason, ContextParam, Hub, IntoNegotiation,
        IntoRefreshed, Method, NegotiateFuture, Negotiator, RefreshParam, Refresher, Untyped,
    },
    invocation::Invocation,
    negotiate::{NegotiateRequest, Negotiation, RefreshRequest},
    payload::Arguments,
    proxy::{Audience, InvokeFuture, Many, One, Proxy, SendFuture, SingleConnection},
    reply::{HubReply, Reply},
};

pub use ::serde::de::IgnoredAny;

#[doc(inline)]
pub use crate::{__register as register, __shape as shape};

/// Adds a hub to the registry.
#[cfg(feature = "inventory")]
#[doc(hidden)]
#[macro_export]
macro_rules! __register {
    ($hub:ty, $make:expr) => {
        $crate::registry::inventory::submit! {
            $crate::registry::Registered::new::<$hub>(
                ::core::module_path!(),
                || $crate::registry::mounted::<$hub>($make),
            )
        }
    };
}

/// Reports the missing feature.
#[cfg(not(feature = "inventory"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __register {
    ($hub:ty, $make:expr) => {
        ::core::compile_error! {
            "`register` needs the feature `discover` of hub-runtime"
        }
    };
}

/// Moves the compiler error "future is not `Send`" from the table to the method.
pub fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

/// The body of a client trait's method without a result.
pub fn send<C: ?Sized, T>(
    proxy: &Proxy<C, T>,
    target: &'static str,
    arguments: Arguments,
) -> SendFuture {
    proxy.send_encoded(target, arguments)
}

/// The body of a client trait's method with a result.
pub fn invoke<R: DeserializeOwned, C: ?Sized, T>(
    proxy: &Proxy<C, T>,
    target: &'static str,
    arguments: Arguments,
) -> InvokeFuture<R> {
    proxy.invoke_encoded(target, arguments)
}
