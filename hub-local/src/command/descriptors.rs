//! The limit of file descriptors: each client takes one.

use std::io;

/// What the process may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptors {
    pub(super) before: usize,
    pub(super) now: usize,
}

/// Raises the soft limit to the hard one. `None` where there is no such limit.
///
/// # Errors
/// When the system does not say what the limit is.
#[cfg(unix)]
pub(super) fn raise() -> io::Result<Option<Descriptors>> {
    use rlimit::Resource;

    let (before, _) = Resource::NOFILE.get()?;
    // Where it cannot be raised, what there is must do.
    let now = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(before);
    let count = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(Some(Descriptors { before: count(before), now: count(now) }))
}

#[cfg(not(unix))]
pub(super) fn raise() -> io::Result<Option<Descriptors>> {
    Ok(None)
}
