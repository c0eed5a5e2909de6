//! Tasks, which are threads in a model.

use crate::{runtime::Handle, threads::block_on};

#[derive(Clone, Debug, Default)]
pub(crate) struct TaskTracker;

impl TaskTracker {
    pub(crate) fn spawn_on(&self, task: impl Future<Output = ()> + 'static, _: &Handle) {
        loom::thread::spawn(move || block_on(task));
    }
}

pub(crate) async fn yield_now() {
    loom::thread::yield_now();
}
