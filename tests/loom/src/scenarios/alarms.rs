//! `RarelyReady` polls its future after each wake of that future.

use std::{future::poll_fn, sync::Arc, task::Poll};

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{FEW, explore};
use crate::{connection::rarely_ready::RarelyReady, sync::Mutex, threads::block_on};

/// Two threads each make a part of a future ready and wake it. A third thread wakes the task for
/// another reason.
pub fn no_wake_up_is_lost_if_the_task_is_also_woken_otherwise() {
    explore(FEW, || {
        let ready = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let parts = ready.clone();
        let wakers = Arc::new(Mutex::new(None));
        let given = Arc::clone(&wakers);
        let mut seldom = RarelyReady::new(poll_fn(move |context| {
            given.lock().get_or_insert_with(|| context.waker().clone());
            // Relaxed, because the wake must order these loads.
            let is_ready = parts.iter().all(|part| part.load(Ordering::Relaxed));
            if is_ready { Poll::Ready(()) } else { Poll::Pending }
        }));
        let mut threads = Vec::new();

        block_on(poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut seldom).poll(context);
            if threads.is_empty() {
                let waker = wakers.lock().clone().unwrap();
                threads.extend(ready.clone().map(|part| {
                    let waker = waker.clone();
                    thread::spawn(move || {
                        part.store(true, Ordering::Relaxed);
                        waker.wake();
                    })
                }));
                let task = context.waker().clone();
                threads.push(thread::spawn(move || task.wake()));
            }
            polled
        }));

        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
