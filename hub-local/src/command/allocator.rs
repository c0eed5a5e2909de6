//! The allocator of the command, and its settings.
//!
//! mimalloc returns freed memory to the system only when it allocates again, and only after some time. After a peak, a
//! service without clients would keep most of its memory. With these settings it returns freed pages at once, and
//! collects the pages that other threads have freed ten times as often. mimalloc reads them at the start of a process.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Replaces the process by one with the settings, with the same id, arguments and files. Returns if they are set
/// already, or if that fails: the service works without them, too.
#[cfg(target_os = "linux")]
pub(super) fn restart_with_settings() {
    use std::{env, os::unix::process::CommandExt as _, process::Command};

    const SETTINGS: [(&str, &str); 2] =
        [("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_GENERIC_COLLECT", "1000")];

    let missing: Vec<_> =
        SETTINGS.into_iter().filter(|(name, _)| env::var_os(name).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let _ = command.args(arguments).envs(missing).exec();
}

#[cfg(not(target_os = "linux"))]
pub(super) fn restart_with_settings() {}
