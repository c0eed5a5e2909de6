//! The items that macro expansions use. Not public API: it changes without notice.

#[doc(hidden)]
pub use hub_core::private::*;

#[doc(inline)]
pub use crate::__typed_calls as typed_calls;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use crate::testing::{TestArgument, TestCall, TestClient, TypedHub};
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use hub_core::ArgumentList;

/// The functions of test clients that call the methods of a hub.
#[cfg(feature = "testing")]
#[doc(hidden)]
#[macro_export]
macro_rules! __typed_calls {
    ($($items:tt)*) => {
        $($items)*
    };
}

/// Ignores the functions, because there is no test client.
#[cfg(not(feature = "testing"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __typed_calls {
    ($($items:tt)*) => {};
}
