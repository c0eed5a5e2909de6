//! Texts for the operator of a process without a `tracing` subscriber. They are written to standard error, because
//! `tracing` drops events without a subscriber.

use std::{
    fmt::Display,
    io::{self, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use hub_net::log_limit::shown;
use tracing::subscriber::NoSubscriber;

use crate::error_id::ErrorId;

/// Whether the process runs an app that has not failed yet.
static IS_WATCHING: AtomicBool = AtomicBool::new(false);

/// Logs a warning at start. Without a subscriber, it is written to standard error.
pub(crate) fn warn(text: &dyn Display) {
    if has_subscriber() {
        tracing::warn!("{text}");
    } else {
        // A broken standard error is no reason to stop.
        let _ = writeln!(io::stderr(), "warning: {text}");
    }
}

/// From now on, the first error that no subscriber receives is written to standard error.
#[cfg(feature = "server")]
pub(crate) fn watch() {
    IS_WATCHING.store(true, Ordering::Relaxed);
}

/// Writes the first error of a running app without a subscriber to standard error.
pub(crate) fn first_error(id: Option<&ErrorId>, cause: &str) {
    if has_subscriber() || !IS_WATCHING.swap(false, Ordering::Relaxed) {
        return;
    }
    let id = id.map(|id| format!(" {id}")).unwrap_or_default();
    let _ = writeln!(
        io::stderr(),
        "error{id}: {}\nFurther errors are not shown, because the program has no `tracing` subscriber. Install one in `main`: `tracing_subscriber::fmt().init()` of the crate tracing-subscriber.",
        shown(cause)
    );
}

fn has_subscriber() -> bool {
    tracing::dispatcher::get_default(|dispatch| !dispatch.is::<NoSubscriber>())
}
