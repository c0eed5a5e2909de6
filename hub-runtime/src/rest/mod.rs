//! [`Outbound`] over the REST API of the service.

pub(crate) mod answer;
mod body;
mod call;
mod client;
pub(crate) mod endpoints;
mod refresh;
mod retry;
mod retry_after;
#[cfg(test)]
mod tests;
mod tokens;
pub(crate) mod transport;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use hub_core::{
    InvokeError, Payload, SendError, Target, TargetFailure,
    outbound::{Change, Check, MemberPage, Outbound, Recipients},
};

pub(crate) use self::client::{RestClient, RestOptions};
pub(crate) use self::refresh::RefreshAnswer;
pub use self::retry::Retries;
use self::{body::Body, call::Call, transport::InProcess};
use crate::{
    auth::{ClientTokens, SigningKey},
    telemetry,
};

/// The default timeout of a client result.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest number of concurrent calls of one send to several targets.
const MAX_CONCURRENT_SENDS: usize = 32;

/// The names of a send without a request, in bytes, with [`NAME_OVERHEAD`]. In a request they are percent-encoded in
/// the URL, and once more in the token.
const MAX_NAME_BYTES: usize = 1024;
/// The bytes that a name counts besides its own.
const NAME_OVERHEAD: usize = 4;

/// A message and its way to the service.
struct Outgoing<'a> {
    payload: &'a Payload,
    way: Way<'a>,
}

enum Way<'a> {
    /// A request with this body.
    Request(Body),
    /// A call of the service in this process.
    InProcess(&'a dyn InProcess),
}

/// Sends through the REST API.
pub(crate) struct RestOutbound {
    /// The endpoint's name in the settings.
    pub(crate) name: String,
    pub(crate) client: RestClient,
    /// Seals the claims of connections that are refreshed.
    pub(crate) tokens: Arc<ClientTokens>,
    /// Whether the service accepts messages in JSON only. Relaxed: it publishes no other data.
    pub(crate) is_json_only: AtomicBool,
}

impl RestOutbound {
    async fn deliver(
        &self,
        hub: &str,
        target: &Target,
        payload: &Payload,
    ) -> Result<(), SendError> {
        let way = match self.client.in_process(payload).filter(|_| has_short_names(target)) {
            Some(service) => Way::InProcess(service),
            None if self.is_json_only.load(Ordering::Relaxed) => Way::Request(Body::json(payload)?),
            None => Way::Request(Body::of(payload)?),
        };
        let message = &Outgoing { payload, way };
        let none = &[];
        match target {
            Target::All => self.send_one(hub, Recipients::All { excluded: none }, message).await,
            Target::AllExcept(excluded) => {
                self.send_one(hub, Recipients::All { excluded }, message).await
            }
            Target::Connection(id) => self.send_one(hub, Recipients::Connection(id), message).await,
            Target::Group(group) => {
                self.send_one(hub, Recipients::Group { group, excluded: none }, message).await
            }
            Target::GroupExcept(group, excluded) => {
                self.send_one(hub, Recipients::Group { group, excluded }, message).await
            }
            Target::User(user) => self.send_one(hub, Recipients::User(user), message).await,
            Target::Connections(ids) => {
                self.send_each(hub, ids, Recipients::Connection, Target::Connection, message).await
            }
            Target::Groups(groups) => {
                let group = |group| Recipients::Group { group, excluded: none };
                self.send_each(hub, groups, group, Target::Group, message).await
            }
            Target::Users(users) => {
                self.send_each(hub, users, Recipients::User, Target::User, message).await
            }
        }
    }

    /// Makes a change; `false` if the connection does not exist at the service.
    pub(crate) async fn applied(&self, hub: &str, change: &Change) -> Result<bool, SendError> {
        let mut call = Call::change(hub, change);
        if let Change::Refresh { negotiation, .. } = change {
            call.body = Some(self.refresh_body(hub, None, negotiation)?);
        }
        let answer = self.client.call(&call).await?;
        answer::changed(change, &answer, self.client.now())
    }

    /// Gets a temporary key that signs client tokens.
    pub(crate) async fn signing_key(&self) -> Result<SigningKey, SendError> {
        let answer = self.client.call(&Call::access_key()).await?;
        answer::signing_key(&answer, self.client.now())
    }

    /// Lets the service generate a client token.
    pub(crate) async fn client_token(
        &self,
        hub: &str,
        user: Option<&str>,
        lifetime: Duration,
    ) -> Result<String, SendError> {
        let minutes = (lifetime.as_secs() / 60).max(1);
        let answer = self.client.call(&Call::generate_token(hub, user, minutes)).await?;
        answer::client_token(&answer, self.client.now())
    }

    async fn send_one(
        &self,
        hub: &str,
        to: Recipients<'_>,
        message: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        let Outgoing { payload, way } = message;
        let body = match way {
            Way::Request(body) => body,
            Way::InProcess(service) => {
                return self.client.send_in_process(*service, hub, to, payload).await;
            }
        };
        let mut answer = self.client.call(&Call::send(hub, &to, body.clone())).await?;
        if answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && !body.is_json() {
            answer = self.client.call(&Call::send(hub, &to, Body::json(payload)?)).await?;
            if answer.status().is_success() {
                self.remember_json_only();
            }
        }
        answer::accepted(&answer, self.client.now())
    }

    /// Sends later messages in JSON. Microsoft's emulator refuses other content types.
    fn remember_json_only(&self) {
        if !self.is_json_only.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                endpoint = self.name,
                "the service refuses application/octet-stream (415): messages are sent in JSON from now on, \
                 and the service converts them for MessagePack clients"
            );
        }
    }

    /// Sends one request for each target, several concurrently. A failure does not stop the other requests.
    /// Failures are reported by target: a second send to all targets would reach some of them twice.
    async fn send_each<'a>(
        &self,
        hub: &str,
        names: &'a [String],
        to: impl Fn(&'a str) -> Recipients<'a> + Send,
        target: fn(String) -> Target,
        message: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        let sends =
            names.iter().map(|name| {
                let sending = self.send_one(hub, to(name), message);
                async move {
                    sending.await.map_err(|error| TargetFailure::new(target(name.clone()), error))
                }
            });
        let sends = stream::iter(sends.collect::<Vec<_>>()).buffer_unordered(MAX_CONCURRENT_SENDS);
        let mut failures: Vec<_> = sends.filter_map(async |sent| sent.err()).collect().await;
        match failures.pop() {
            None => Ok(()),
            Some(only) if names.len() == 1 => Err(only.error),
            Some(last) => {
                failures.push(last);
                Err(SendError::Targets { failures, of: names.len() })
            }
        }
    }
}

/// Whether the names of each request to the target are far below the limit of its head, 16 KiB.
fn has_short_names(target: &Target) -> bool {
    let longest = |names: &[String]| names.iter().map(String::len).max().unwrap_or(0);
    let all = |names: &[String]| names.iter().map(|name| name.len() + NAME_OVERHEAD).sum::<usize>();
    let length = match target {
        Target::All => 0,
        Target::Connection(name) | Target::Group(name) | Target::User(name) => name.len(),
        Target::Connections(names) | Target::Groups(names) | Target::Users(names) => longest(names),
        Target::AllExcept(excluded) => all(excluded),
        Target::GroupExcept(group, excluded) => group.len() + all(excluded),
    };
    length <= MAX_NAME_BYTES
}

/// The name in telemetry of a send to this target.
fn operation(target: &Target) -> &'static str {
    match target {
        Target::All => "all",
        Target::AllExcept(_) => "all_except",
        Target::Connection(_) => "connection",
        Target::Connections(_) => "connections",
        Target::Group(_) => "group",
        Target::Groups(_) => "groups",
        Target::GroupExcept(..) => "group_except",
        Target::User(_) => "user",
        Target::Users(_) => "users",
    }
}

#[async_trait]
impl Outbound for RestOutbound {
    async fn send(&self, hub: &str, target: Target, payload: Payload) -> Result<(), SendError> {
        let sent = self.deliver(hub, &target, &payload).await;
        telemetry::sent(hub, operation(&target), &sent);
        sent
    }

    async fn invoke(
        &self,
        hub: &str,
        connection_id: &str,
        payload: Payload,
        timeout: Option<Duration>,
    ) -> Result<Bytes, InvokeError> {
        // REST 2024-12-01: the content type of the body may determine the content type of the response.
        let call = Call::invoke(hub, connection_id, Body::json(&payload)?);
        let timeout = timeout.unwrap_or(INVOKE_TIMEOUT);
        // Dropping the call closes its connection, which cancels the invocation at the service.
        let answer = tokio::time::timeout(timeout, self.client.within(&call, timeout)).await;
        let answer = answer.unwrap_or(Err(SendError::TimedOut(timeout)));
        match answer {
            Ok(answer) => answer::client_result(&answer, self.client.now()),
            Err(SendError::TimedOut(timeout)) => Err(InvokeError::TimedOut(timeout)),
            Err(error) => Err(error.into()),
        }
    }

    async fn change(&self, hub: &str, change: Change) -> Result<(), SendError> {
        self.applied(hub, &change).await.map(|_| ())
    }

    async fn check(&self, hub: &str, check: Check) -> Result<bool, SendError> {
        let (call, no) = Call::check(hub, &check);
        let answer = self.client.call(&call).await?;
        answer::yes_or_no(&answer, no, self.client.now())
    }

    async fn members(
        &self,
        hub: &str,
        group: &str,
        continuation: Option<String>,
    ) -> Result<MemberPage, SendError> {
        let call = Call::members(hub, group, continuation.as_deref());
        let answer = self.client.call(&call).await?;
        answer::member_page(&answer, self.client.now())
    }

    /// Accepts only the name of this endpoint.
    fn pinned(self: Arc<Self>, names: &[String]) -> Result<Arc<dyn Outbound>, SendError> {
        match names.iter().find(|name| !name.eq_ignore_ascii_case(&self.name)) {
            None => Ok(self),
            Some(other) => Err(SendError::UnknownEndpoint {
                name: other.clone(),
                known: vec![self.name.clone()],
            }),
        }
    }
}
