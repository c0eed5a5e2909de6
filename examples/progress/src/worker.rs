//! The worker: it knows no connection and no page, only users.

use std::time::Duration;

use hub_runtime::prelude::*;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    hub::{Progress, ProgressClient},
    jobs::{Job, JobError, Jobs},
};

/// How many steps a job has.
const STEPS: u32 = 40;
/// How long a step takes.
const STEP: Duration = Duration::from_millis(200);
/// How many jobs may wait for the worker.
const WAITING: usize = 100;

/// Where jobs are handed in. Clones share the worker.
#[derive(Clone, Debug)]
pub struct Queue {
    jobs: Jobs,
    sender: mpsc::Sender<Order>,
}

#[derive(Debug)]
struct Order {
    user: String,
    job: u64,
}

impl Queue {
    /// Hands in a job of a user.
    ///
    /// # Errors
    ///
    /// The name is bad, or too much is running.
    pub fn begin(&self, user: &str, name: &str) -> Result<Job, JobError> {
        let job = self.jobs.begin(user, name, STEPS)?;
        let order = Order { user: user.to_owned(), job: job.id };
        if self.sender.try_send(order).is_err() {
            self.jobs.forget(user, job.id);
            return Err(JobError::Busy);
        }
        Ok(job)
    }
}

/// Does jobs and tells their users.
pub struct Worker {
    hub: HubContext<Progress>,
    jobs: Jobs,
    orders: mpsc::Receiver<Order>,
}

impl Worker {
    /// A worker that reports through `hub`, and where to hand in jobs.
    #[must_use]
    pub fn new(hub: HubContext<Progress>, jobs: Jobs) -> (Self, Queue) {
        let (sender, orders) = mpsc::channel(WAITING);
        (Self { hub, jobs: jobs.clone(), orders }, Queue { jobs, sender })
    }

    /// Works until every [`Queue`] is gone. Running jobs end with it.
    pub async fn run(mut self) {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => {
                        running.spawn(work(self.hub.clone(), self.jobs.clone(), order));
                    }
                    None => return,
                },
                Some(ended) = running.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a job failed");
                    }
                }
            }
        }
    }
}

async fn work(hub: HubContext<Progress>, jobs: Jobs, order: Order) {
    let pages = hub.clients().user(&order.user);
    for _ in 0..STEPS {
        tokio::time::sleep(STEP).await;
        let Some(job) = jobs.advance(&order.user, order.job) else { return };
        // Nobody may be watching, which is no failure. A page that missed something asks for the
        // present state when it is connected again.
        if let Err(error) = pages.progress(&job).await {
            tracing::warn!(%error, "progress could not be reported");
        }
    }
}
