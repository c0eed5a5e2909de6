//! The jobs of all users. A real application stores them in its database.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use schemars::JsonSchema;
use serde::Serialize;

/// Maximum number of running jobs per user.
const MAX_RUNNING: usize = 3;
/// Maximum number of stored jobs per user.
const MAX_KEPT: usize = 10;
/// Maximum number of stored users. At this number, users without a running job are removed.
const MAX_USERS: usize = 10_000;
const MAX_NAME: usize = 60;

/// One job as a page sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Job {
    pub id: u64,
    pub name: String,
    /// Number of finished steps of `total`. Never decreases.
    pub done: u32,
    pub total: u32,
}

impl Job {
    fn is_running(&self) -> bool {
        self.done < self.total
    }
}

/// Errors of starting a job, with texts for users.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// The user has too many running jobs.
    #[error("{MAX_RUNNING} of your jobs are running. Wait until one is done.")]
    TooMany,
    /// The name is empty or too long.
    #[error("A job's name has between 1 and {MAX_NAME} characters.")]
    Name,
    /// All users together have too many running jobs.
    #[error("The server has too many jobs. Try again later.")]
    Busy,
}

/// The jobs of all users. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Jobs(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    by_user: HashMap<String, Vec<Job>>,
}

impl Jobs {
    /// Adds a job.
    ///
    /// # Errors
    ///
    /// The name is invalid, or too many jobs are running.
    pub fn begin(&self, user: &str, name: &str, total: u32) -> Result<Job, JobError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(JobError::Name);
        }
        let mut state = self.lock();
        if state.by_user.len() >= MAX_USERS {
            state.by_user.retain(|_, jobs| jobs.iter().any(Job::is_running));
        }
        if state.by_user.len() >= MAX_USERS && !state.by_user.contains_key(user) {
            return Err(JobError::Busy);
        }
        let id = state.last_id + 1;
        let jobs = state.by_user.entry(user.to_owned()).or_default();
        if jobs.iter().filter(|job| job.is_running()).count() >= MAX_RUNNING {
            return Err(JobError::TooMany);
        }
        if jobs.len() >= MAX_KEPT
            && let Some(oldest) = jobs.iter().position(|job| !job.is_running())
        {
            jobs.remove(oldest);
        }
        let job = Job { id, name: name.to_owned(), done: 0, total };
        jobs.push(job.clone());
        state.last_id = id;
        Ok(job)
    }

    /// Advances a job by one step and returns it.
    #[must_use]
    pub fn advance(&self, user: &str, id: u64) -> Option<Job> {
        let mut state = self.lock();
        let job = state.by_user.get_mut(user)?.iter_mut().find(|job| job.id == id)?;
        job.done = job.total.min(job.done + 1);
        Some(job.clone())
    }

    /// Removes a job that will not run.
    pub fn forget(&self, user: &str, id: u64) {
        if let Some(jobs) = self.lock().by_user.get_mut(user) {
            jobs.retain(|job| job.id != id);
        }
    }

    /// The jobs of a user, oldest first.
    #[must_use]
    pub fn of(&self, user: &str) -> Vec<Job> {
        self.lock().by_user.get(user).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_jobs_of_their_own() {
        let jobs = Jobs::default();
        let report = jobs.begin("ada", " report ", 2).unwrap();

        assert_eq!(jobs.of("ada"), [Job { id: 1, name: "report".into(), done: 0, total: 2 }]);
        assert!(jobs.of("bob").is_empty());
        assert_eq!(jobs.advance("bob", report.id), None);
    }

    #[test]
    fn a_fourth_running_job_is_refused() {
        let jobs = Jobs::default();
        let first = jobs.begin("ada", "one", 1).unwrap();
        for name in ["two", "three"] {
            jobs.begin("ada", name, 1).unwrap();
        }

        assert_eq!(jobs.begin("ada", "four", 1), Err(JobError::TooMany));
        assert!(jobs.begin("bob", "one", 1).is_ok());
        assert_eq!(jobs.advance("ada", first.id).unwrap().done, 1);
        assert!(jobs.begin("ada", "four", 1).is_ok());
    }

    #[test]
    fn the_oldest_finished_jobs_are_forgotten() {
        let jobs = Jobs::default();
        for number in 0..=MAX_KEPT {
            let job = jobs.begin("ada", &number.to_string(), 1).unwrap();
            assert_eq!(jobs.advance("ada", job.id).unwrap().done, 1);
        }

        let names: Vec<_> = jobs.of("ada").into_iter().map(|job| job.name).collect();

        assert_eq!(names, (1..=MAX_KEPT).map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn empty_and_long_names_are_refused() {
        let jobs = Jobs::default();

        for name in ["", "  ", &"x".repeat(61)] {
            assert_eq!(jobs.begin("ada", name, 1), Err(JobError::Name), "{name}");
        }
    }
}
