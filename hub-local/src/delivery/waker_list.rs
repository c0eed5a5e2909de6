//! Wakers of the readers that wait for the next message of a log.

use std::task::Waker;

/// Idle readers of a log.
#[derive(Debug, Default)]
pub(super) struct WakerList {
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// Slots that may hold a waker.
    listed: Vec<usize>,
}

#[derive(Debug, Default)]
struct Slot {
    waker: Option<Waker>,
    is_listed: bool,
}

impl WakerList {
    /// Allocates a slot for a reader.
    pub(super) fn open(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        })
    }

    /// Frees the slot of a reader and drops its waker.
    pub(super) fn close(&mut self, slot: usize) {
        if let Some(slot_state) = self.slots.get_mut(slot) {
            slot_state.waker = None;
            self.free.push(slot);
        }
    }

    /// Registers the waker of a reader.
    pub(super) fn add(&mut self, slot: usize, waker: &Waker) {
        let Some(slot_state) = self.slots.get_mut(slot) else { return };
        match &mut slot_state.waker {
            Some(held) => held.clone_from(waker),
            held => *held = Some(waker.clone()),
        }
        if !std::mem::replace(&mut slot_state.is_listed, true) {
            self.listed.push(slot);
        }
    }

    /// Takes the wakers of all idle readers.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::with_capacity(self.listed.len());
        for slot in self.listed.drain(..) {
            if let Some(slot) = self.slots.get_mut(slot) {
                slot.is_listed = false;
                wakers.extend(slot.waker.take());
            }
        }
        wakers
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[derive(Default)]
    struct WakeCounter(AtomicUsize);

    impl std::task::Wake for WakeCounter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn wake_all(wakers: &mut WakerList) {
        wakers.take().into_iter().for_each(Waker::wake);
    }

    #[test]
    fn each_waiter_is_woken_once_until_it_waits_again() {
        let (woken, mut wakers) = (Arc::new(WakeCounter::default()), WakerList::default());
        let waker = Waker::from(Arc::clone(&woken));
        let (one, other) = (wakers.open(), wakers.open());
        wakers.add(one, &waker);
        wakers.add(one, &waker);
        wakers.add(other, &waker);

        wake_all(&mut wakers);
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        wake_all(&mut wakers);
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        wakers.add(other, &waker);
        wake_all(&mut wakers);
        assert_eq!(woken.0.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn ended_readers_leave_no_resources() {
        let (woken, mut wakers) = (Arc::new(WakeCounter::default()), WakerList::default());
        let waker = Waker::from(Arc::clone(&woken));

        for _ in 0..100 {
            let slot = wakers.open();
            wakers.add(slot, &waker);
            wakers.close(slot);
        }

        assert_eq!((wakers.slots.len(), wakers.listed.len()), (1, 1));
        assert!(wakers.take().is_empty());
        assert_eq!(Arc::strong_count(&woken), 2);
    }
}
