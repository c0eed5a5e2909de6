//! The worker. It sends to users and needs no connection ids.

use std::time::Duration;

use hub_runtime::prelude::*;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    hub::{Progress, ProgressClient},
    jobs::{Job, JobError, Jobs},
};

/// Number of steps of a job.
const STEPS: u32 = 40;
/// Duration of a step.
const STEP: Duration = Duration::from_millis(200);
/// Maximum number of queued jobs.
const WAITING: usize = 100;

/// The queue of the worker. Clones share the worker.
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
    /// Queues a job of a user.
    ///
    /// # Errors
    ///
    /// The name is invalid, or too many jobs are running.
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

/// Runs jobs and reports their progress to the users.
pub struct Worker {
    hub: HubContext<Progress>,
    jobs: Jobs,
    orders: mpsc::Receiver<Order>,
}

impl Worker {
    /// Creates a worker that sends progress through `hub`. Returns the worker and its queue.
    #[must_use]
    pub fn new(hub: HubContext<Progress>, jobs: Jobs) -> (Self, Queue) {
        let (sender, orders) = mpsc::channel(WAITING);
        (Self { hub, jobs: jobs.clone(), orders }, Queue { jobs, sender })
    }

    /// Runs until all [`Queue`] handles are dropped. Running jobs are aborted then.
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
        // It is not an error if no page is connected. A page fetches the current state after each
        // connect.
        if let Err(error) = pages.progress(&job).await {
            tracing::warn!(%error, "progress could not be reported");
        }
    }
}
