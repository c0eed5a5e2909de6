//! [`Outbound`] over the REST API of the service.

pub(crate) mod answer;
mod body;
pub(crate) mod endpoints;
pub(crate) mod transport;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Request, Response, header};
use hub_core::{
    InvokeError, Payload, Secret, SendError, Target,
    outbound::{Change, Check, MemberPage, Outbound},
};

use self::{
    body::Body,
    endpoints::{Endpoint, Send},
    transport::Transport,
};
use crate::{auth, clock::Clock};

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(100);
/// How long a client is waited for unless the caller says otherwise.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many calls of one send to several targets run together.
const PARALLEL: usize = 32;

/// Delivers through the REST API.
pub(crate) struct RestOutbound {
    pub(crate) transport: Arc<dyn Transport>,
    /// Scheme, authority and path prefix, without a closing slash.
    pub(crate) base: String,
    pub(crate) key: Secret,
    pub(crate) clock: Clock,
}

impl RestOutbound {
    async fn call(
        &self,
        endpoint: Endpoint,
        body: Option<Body>,
    ) -> Result<Response<Bytes>, SendError> {
        let request = self.request(endpoint, body)?;
        tokio::time::timeout(TIMEOUT, self.transport.call(request))
            .await
            .map_err(|_| SendError::TimedOut(TIMEOUT))?
    }

    fn request(&self, endpoint: Endpoint, body: Option<Body>) -> Result<Request<Bytes>, SendError> {
        let url = format!("{}{}", self.base, endpoint.path);
        let token = auth::rest_token(&url, &self.key, self.clock.now())
            .map_err(|error| SendError::Unreachable(Box::new(error)))?;
        let mut request = Request::builder()
            .method(endpoint.method)
            .uri(format!("{url}?{}", endpoint.query))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let mut bytes = Bytes::new();
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, body.content_type);
            bytes = body.bytes;
        }
        request.body(bytes).map_err(|error| SendError::Unreachable(Box::new(error)))
    }

    async fn send_one(&self, hub: &str, to: Send<'_>, body: Body) -> Result<(), SendError> {
        let answer = self.call(endpoints::send(hub, &to), Some(body)).await?;
        answer::accepted(&answer)
    }

    /// One request for each target, several at a time; the first failure is the answer.
    async fn send_each<'a>(
        &self,
        hub: &str,
        targets: impl Iterator<Item = Send<'a>> + std::marker::Send,
        body: &Body,
    ) -> Result<(), SendError> {
        let sends: Vec<_> = targets.map(|to| self.send_one(hub, to, body.clone())).collect();
        stream::iter(sends).buffer_unordered(PARALLEL).try_collect().await
    }
}

#[async_trait]
impl Outbound for RestOutbound {
    async fn send(&self, hub: &str, target: Target, payload: Payload) -> Result<(), SendError> {
        let body = Body::of(&payload)?;
        let none = &[];
        match &target {
            Target::All => self.send_one(hub, Send::All { excluded: none }, body).await,
            Target::AllExcept(excluded) => self.send_one(hub, Send::All { excluded }, body).await,
            Target::Connection(id) => self.send_one(hub, Send::Connection(id), body).await,
            Target::Group(group) => {
                self.send_one(hub, Send::Group { group, excluded: none }, body).await
            }
            Target::GroupExcept(group, excluded) => {
                self.send_one(hub, Send::Group { group, excluded }, body).await
            }
            Target::User(user) => self.send_one(hub, Send::User(user), body).await,
            Target::Connections(ids) => {
                self.send_each(hub, ids.iter().map(|id| Send::Connection(id)), &body).await
            }
            Target::Groups(groups) => {
                let each = groups.iter().map(|group| Send::Group { group, excluded: none });
                self.send_each(hub, each, &body).await
            }
            Target::Users(users) => {
                self.send_each(hub, users.iter().map(|user| Send::User(user)), &body).await
            }
            _ => Err(answer::unsupported()),
        }
    }

    async fn invoke(
        &self,
        hub: &str,
        connection_id: &str,
        payload: Payload,
        timeout: Option<Duration>,
    ) -> Result<Bytes, InvokeError> {
        // In the newest API the form of the body may decide about the form of the answer.
        let body = Body::json(&payload)?;
        let timeout = timeout.unwrap_or(INVOKE_TIMEOUT);
        let request = self.request(endpoints::invoke(hub, connection_id), Some(body))?;
        // Dropping the call hangs up, which is how the service learns that nobody waits any more.
        let answer = tokio::time::timeout(timeout, self.transport.call(request))
            .await
            .map_err(|_| InvokeError::TimedOut(timeout))??;
        answer::client_result(&answer)
    }

    async fn change(&self, hub: &str, change: Change) -> Result<(), SendError> {
        let endpoint = endpoints::change(hub, &change).ok_or_else(answer::unsupported)?;
        let answer = self.call(endpoint, None).await?;
        answer::changed(&change, &answer)
    }

    async fn check(&self, hub: &str, check: Check) -> Result<bool, SendError> {
        let (endpoint, no) = endpoints::check(hub, &check).ok_or_else(answer::unsupported)?;
        let answer = self.call(endpoint, None).await?;
        answer::yes_or_no(&answer, no)
    }

    async fn members(
        &self,
        hub: &str,
        group: &str,
        continuation: Option<String>,
    ) -> Result<MemberPage, SendError> {
        let endpoint = endpoints::members(hub, group, continuation.as_deref());
        let answer = self.call(endpoint, None).await?;
        answer::member_page(&answer)
    }
}
