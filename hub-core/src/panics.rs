//! Converts panics of application code into errors, so that the caller receives a response.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use crate::HubError;

/// Runs `call`. If it panics, the result is [`HubError::panicked`].
///
/// The future is not polled after a panic, so its inconsistent state is not observed.
#[doc(hidden)]
pub async fn catching<T>(call: impl Future<Output = Result<T, HubError>>) -> Result<T, HubError> {
    let mut call = pin!(call);
    poll_fn(|cx| poll_catching(call.as_mut(), cx)).await
}

/// Polls `call` for [`catching`]. After a result the future must not be polled again.
#[doc(hidden)]
pub fn poll_catching<T>(
    call: Pin<&mut (impl Future<Output = Result<T, HubError>> + ?Sized)>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, HubError>> {
    caught(|| call.poll(cx)).unwrap_or_else(|panicked| Poll::Ready(Err(panicked)))
}

/// Runs code of the application that is not a future, such as the `Drop` of its values. Values that `work` changed
/// before a panic must not be used afterwards.
///
/// # Errors
/// [`HubError::panicked`] if `work` panics.
#[doc(hidden)]
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, HubError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| HubError::panicked(text(&*payload)))
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn outcome(call: impl Future<Output = Result<(), HubError>>) -> Result<(), HubError> {
        let mut running = pin!(catching(call));
        match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let number = 7;

        assert_eq!(outcome(async { panic!("boom") }).unwrap_err().text(), "boom");
        assert_eq!(outcome(async move { panic!("boom {number}") }).unwrap_err().text(), "boom 7");
        assert!(outcome(async { Ok(()) }).is_ok());
    }
}
