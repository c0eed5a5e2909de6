//! Load tool for SignalR servers: connects many clients, generates traffic and measures it.

mod args;
mod client;
mod error;
mod measure;
mod messages;
mod rest;
mod scenario;

pub use self::{
    args::{LoadArgs, LoadProtocol, LoadTransport, Scenario},
    error::LoadError,
    measure::report::{Latency, Report},
};

/// Raises the soft limit of file descriptors to the hard limit, then runs [`run`] on a new runtime.
///
/// # Errors
/// Returns the errors of [`run`], and an error if the runtime cannot be started.
pub fn run_blocking(args: LoadArgs) -> Result<Report, LoadError> {
    // Each client needs a descriptor. If the limit is still too low, connects fail with the error of the
    // operating system.
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Runtime::new().map_err(LoadError::connect)?;
    runtime.block_on(run(args))
}

/// Connects the clients, runs the scenario and returns the report. Progress goes to standard error.
///
/// # Errors
/// Returns an error if options contradict each other, no client can connect, or a REST call that
/// the scenario depends on fails.
pub async fn run(args: LoadArgs) -> Result<Report, LoadError> {
    args.check()?;
    scenario::run(args).await
}
