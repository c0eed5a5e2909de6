//! Makes glibc return the memory of large buffers to the system.
//!
//! glibc maps large buffers separately and unmaps them when they are freed. But with each freed one it raises the size
//! from which it does so, up to 32 MiB (mallopt(3), `M_MMAP_THRESHOLD`). After some large messages it would keep the
//! memory of most buffers, long after their clients have left. A fixed size has no such effect. glibc reads it only at
//! the start of a process.

/// Replaces the process by one with a fixed size, with the same id, arguments and files. Returns if the size is set
/// already, or if that fails: the service works without it, too.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn restart_with_fixed_threshold() {
    use std::{env, os::unix::process::CommandExt as _, process::Command};

    const VARIABLE: &str = "MALLOC_MMAP_THRESHOLD_";
    const BYTES: &str = "131072";

    if env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let _ = command.args(arguments).env(VARIABLE, BYTES).exec();
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn restart_with_fixed_threshold() {}
