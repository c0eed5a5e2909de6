//! The `Progress` hub: users, and the messages to their pages.

use hub_runtime::prelude::*;

use crate::{
    jobs::{Job, Jobs},
    visitor::Visitor,
};

/// Methods that every page implements.
#[hub_client]
pub trait ProgressClient {
    /// A job has started, progressed or ended. An update may arrive after a newer one.
    async fn progress(&self, job: &Job);
}

/// The hub. Jobs are started over HTTP, and a worker reports their progress.
pub struct Progress {
    pub jobs: Jobs,
}

#[serverless_hub(client = ProgressClient)]
#[filter(SignedIn)]
impl Progress {
    /// All tabs of a visitor belong to the same user, also after a restart of the browser.
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let visitor = Visitor::in_cookies(request.header("cookie"));
        let visitor = visitor.ok_or(HubError::unauthenticated("POST /visit first"))?;
        Ok(Negotiation::user(visitor.user_id()))
    }

    /// Returns the current state. Pages call it after each connect and reconnect.
    async fn jobs(&self, ctx: &Context<Self>) -> HubResult<Vec<Job>> {
        let user = ctx.user_id().or_reject("Sign in first")?;
        Ok(self.jobs.of(user))
    }
}
