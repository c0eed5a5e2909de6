//! The `Progress` hub: who watches, and what a page is told.

use hub_runtime::prelude::*;

use crate::{
    jobs::{Job, Jobs},
    visitor::Visitor,
};

/// What every open page implements.
#[hub_client]
pub trait ProgressClient {
    /// A job has begun, come further, or ended. What is older than a page knows may come late.
    async fn progress(&self, job: &Job);
}

/// The hub. It starts nothing: jobs come in over HTTP, and a worker reports on them.
pub struct Progress {
    pub jobs: Jobs,
}

#[serverless_hub(client = ProgressClient)]
#[filter(SignedIn)]
impl Progress {
    /// Every tab of a visitor is the same user, today and tomorrow.
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let visitor = Visitor::in_cookies(request.header("cookie"));
        let visitor = visitor.ok_or(HubError::unauthenticated("POST /visit first"))?;
        Ok(Negotiation::user(visitor.user_id()))
    }

    /// The present state, for a page that was just opened or had lost its connection.
    async fn jobs(&self, ctx: &Context<Self>) -> HubResult<Vec<Job>> {
        let user = ctx.user_id().or_reject("Sign in first")?;
        Ok(self.jobs.of(user))
    }
}
