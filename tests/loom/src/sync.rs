//! Synchronization primitives on top of loom's.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

pub(crate) use loom::sync::MutexGuard;

/// A mutex with the interface of `parking_lot`: without poisoning.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// A value that is set once; loom has no such type. The value is an ordinary one behind a flag,
/// which orders the accesses before and after it was set. Loom runs only one thread of a model at a
/// time.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: loom::sync::atomic::AtomicBool,
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        let is_set = loom::sync::atomic::AtomicBool::new(false);
        Self { value: std::sync::OnceLock::new(), is_set }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(atomic::Ordering::Acquire) { self.value.get() } else { None }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.store(true, atomic::Ordering::Release);
        Ok(())
    }

    pub(crate) fn get_or_init(&self, value: impl FnOnce() -> T) -> &T {
        if self.value.get().is_none() {
            let _ = self.set(value());
        }
        loop {
            // Another thread may be between setting the value and setting the flag.
            match self.get() {
                Some(value) => return value,
                None => loom::thread::yield_now(),
            }
        }
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

/// Atomics whose `SeqCst` accesses are sequentially consistent.
pub(crate) mod atomic {
    use std::cell::Cell;

    use loom::sync::atomic::fence;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// The position of the fences of `SeqCst` accesses. Processors use either position, and a
    /// program must be correct with each. If a model used both at once, the fence of a neighbouring
    /// access could hide a missing fence.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Fences {
        BeforeReads,
        AfterWrites,
    }

    thread_local! {
        /// Loom runs all threads of a model on one thread of the operating system.
        pub(crate) static FENCES: Cell<Fences> = const { Cell::new(Fences::BeforeReads) };
    }

    fn fence_if(order: Ordering, fences: Fences) {
        if order == Ordering::SeqCst && FENCES.get() == fences {
            fence(Ordering::SeqCst);
        }
    }

    #[derive(Debug)]
    pub(crate) struct AtomicU64(loom::sync::atomic::AtomicU64);

    impl AtomicU64 {
        pub(crate) fn new(value: u64) -> Self {
            Self(loom::sync::atomic::AtomicU64::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> u64 {
            fence_if(order, Fences::BeforeReads);
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: u64, order: Ordering) {
            self.0.store(value, order);
            fence_if(order, Fences::AfterWrites);
        }

        pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
            changing(order, || self.0.fetch_add(value, order))
        }

        pub(crate) fn fetch_min(&self, value: u64, order: Ordering) -> u64 {
            changing(order, || self.0.fetch_min(value, order))
        }
    }

    fn changing(order: Ordering, change: impl FnOnce() -> u64) -> u64 {
        fence_if(order, Fences::BeforeReads);
        let before = change();
        fence_if(order, Fences::AfterWrites);
        before
    }
}

/// The used part of tokio's `Notify`: it wakes the tasks that wait, and those that have created a
/// `Notified`.
#[derive(Debug, Default)]
pub(crate) struct Notify(Mutex<Waiters>);

#[derive(Debug, Default)]
struct Waiters {
    round: u64,
    wakers: Vec<Waker>,
}

pub(crate) struct Notified<'a> {
    notify: &'a Notify,
    round: u64,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_waiters(&self) {
        let wakers = {
            let mut waiters = self.0.lock();
            waiters.round += 1;
            std::mem::take(&mut waiters.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        Notified { notify: self, round: self.0.lock().round }
    }
}

impl Notified<'_> {
    #[allow(clippy::unused_self, reason = "has the signature of the real function")]
    pub(crate) fn enable(self: Pin<&mut Self>) {}
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut waiters = self.notify.0.lock();
        if waiters.round > self.round {
            return Poll::Ready(());
        }
        waiters.wakers.push(context.waker().clone());
        Poll::Pending
    }
}
