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

/// Runs [`run`] on a new runtime. Raises the soft limit of file descriptors to the hard limit
/// first.
///
/// # Errors
/// As [`run`], and when the runtime cannot be started.
pub fn run_blocking(args: LoadArgs) -> Result<Report, LoadError> {
    // Each client takes a descriptor. When the limit stays too low, connects fail with the reason.
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Runtime::new().map_err(LoadError::connect)?;
    runtime.block_on(run(args))
}

/// Connects the clients, runs the scenario and returns the report. Progress goes to standard error.
///
/// # Errors
/// When options contradict each other, no client can connect, or a REST call that the scenario
/// depends on fails.
pub async fn run(args: LoadArgs) -> Result<Report, LoadError> {
    args.check()?;
    scenario::run(args).await
}
