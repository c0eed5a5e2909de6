//! Limit of file descriptors: each client uses one descriptor.

use std::io;

/// Soft limit of the process, before and after it was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptors {
    pub(super) before: usize,
    pub(super) now: usize,
}

/// Raises the soft limit to the hard limit. `None` on systems without such a limit.
///
/// # Errors
/// When the limit cannot be read.
#[cfg(unix)]
pub(super) fn raise() -> io::Result<Option<Descriptors>> {
    use rlimit::Resource;

    let (before, _) = Resource::NOFILE.get()?;
    // On failure the current limit stays in effect.
    let now = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(before);
    let count = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(Some(Descriptors { before: count(before), now: count(now) }))
}

#[cfg(not(unix))]
pub(super) fn raise() -> io::Result<Option<Descriptors>> {
    Ok(None)
}
