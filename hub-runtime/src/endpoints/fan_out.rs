//! [`Outbound`] over several endpoints: combines their results.
//!
//! A connection belongs to one endpoint, so the first "yes" for a connection is the result. Users and groups
//! may exist at all endpoints: the operation waits for every endpoint, and fails if one of them fails.
//!
//! An endpoint that is offline is not called, because each call would wait for its timeout. It counts as a
//! failure, so that the caller learns which endpoint was left out.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use hub_core::{
    EndpointFailure, InvokeError, Payload, SendError, Target,
    outbound::{Change, Check, MemberPage, Outbound},
};

use super::{Endpoint, Endpoints, Operation};

/// Sends to the endpoints that the router selects, or to pinned endpoints.
pub(crate) struct FanOut {
    endpoints: Arc<Endpoints>,
    pinned: Option<Vec<usize>>,
}

/// The index of an endpoint, and its result.
type EndpointResult<T, E> = (usize, Result<T, E>);

/// The endpoints of an operation.
struct Targets {
    online: Vec<(usize, Arc<Endpoint>)>,
    /// The endpoints that are left out. Empty if no endpoint is online: then all are called, since a probe
    /// may be outdated.
    failed: Vec<(usize, SendError)>,
    of: usize,
}

type PendingResults<T, E> =
    FuturesUnordered<Pin<Box<dyn Future<Output = EndpointResult<T, E>> + Send>>>;

impl FanOut {
    pub(crate) fn new(endpoints: Arc<Endpoints>) -> Self {
        Self { endpoints, pinned: None }
    }

    async fn targets(&self, hub: &str, operation: Operation<'_>) -> Result<Targets, SendError> {
        let indices = match &self.pinned {
            Some(pinned) => pinned.clone(),
            None => self.endpoints.for_operation(hub, operation).await,
        };
        let found = |index: usize| Some((index, Arc::clone(self.endpoints.all.get(index)?)));
        let selected: Vec<_> = indices.into_iter().filter_map(found).collect();
        let of = selected.len();
        let (online, offline): (Vec<_>, Vec<_>) =
            selected.into_iter().partition(|(_, endpoint)| endpoint.is_online());
        match (online.is_empty(), offline.is_empty()) {
            (true, true) => Err(SendError::NoEndpoint),
            (true, false) => Ok(Targets { online: offline, failed: Vec::new(), of }),
            (false, _) => {
                let failed = offline.into_iter().map(|(index, _)| (index, SendError::Offline));
                Ok(Targets { online, failed: failed.collect(), of })
            }
        }
    }

    /// Runs the operation on all online targets concurrently.
    fn ask<T, E, F, A>(&self, targets: Vec<(usize, Arc<Endpoint>)>, ask: F) -> PendingResults<T, E>
    where
        F: Fn(Arc<Endpoint>) -> A,
        A: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let asking = targets.into_iter().map(|(index, endpoint)| {
            let answer = ask(endpoint);
            Box::pin(async move { (index, answer.await) })
                as Pin<Box<dyn Future<Output = _> + Send>>
        });
        asking.collect()
    }

    /// Returns the first "yes". Pending operations continue in the background.
    async fn any(
        &self,
        mut asking: PendingResults<bool, SendError>,
        mut failed: Vec<(usize, SendError)>,
        of: usize,
    ) -> Result<bool, SendError> {
        while let Some((index, answer)) = asking.next().await {
            match answer {
                Ok(true) => {
                    if !asking.is_empty() {
                        self.endpoints
                            .tasks
                            .spawn(async move { while asking.next().await.is_some() {} });
                    }
                    return Ok(true);
                }
                Ok(false) => {}
                Err(error) => failed.push((index, error)),
            }
        }
        self.unless_failed(failed, of).map(|()| false)
    }

    /// Waits for all targets. Returns a failure if one target failed, otherwise "yes" if one target returned it.
    async fn all(
        &self,
        asking: PendingResults<bool, SendError>,
        mut failed: Vec<(usize, SendError)>,
        of: usize,
    ) -> Result<bool, SendError> {
        let mut yes = false;
        for (index, answer) in asking.collect::<Vec<_>>().await {
            match answer {
                Ok(answer) => yes |= answer,
                Err(error) => failed.push((index, error)),
            }
        }
        self.unless_failed(failed, of).map(|()| yes)
    }

    /// One error for all failed endpoints.
    fn unless_failed(
        &self,
        mut failed: Vec<(usize, SendError)>,
        of: usize,
    ) -> Result<(), SendError> {
        if of == 1
            && let Some((_, only)) = failed.pop()
        {
            return Err(only);
        }
        if failed.is_empty() {
            return Ok(());
        }
        failed.sort_by_key(|(index, _)| *index);
        let named = |(index, error): (usize, SendError)| {
            let endpoint =
                self.endpoints.all.get(index).map_or("", |endpoint| endpoint.name.as_str());
            EndpointFailure::new(endpoint, error)
        };
        Err(SendError::Endpoints { failures: failed.into_iter().map(named).collect(), of })
    }
}

#[async_trait]
impl Outbound for FanOut {
    async fn send(&self, hub: &str, target: Target, payload: Payload) -> Result<(), SendError> {
        let Targets { online, mut failed, of } =
            self.targets(hub, Operation::Send(&target)).await?;
        let payload = &payload;
        let sends = online.into_iter().map(|(index, endpoint)| {
            let target = target.clone();
            async move { (index, endpoint.rest.send(hub, target, payload.clone()).await) }
        });
        let sent = join_all(sends).await.into_iter();
        failed.extend(sent.filter_map(|(index, sent)| Some((index, sent.err()?))));
        self.unless_failed(failed, of)
    }

    async fn invoke(
        &self,
        hub: &str,
        connection_id: &str,
        payload: Payload,
        timeout: Option<Duration>,
    ) -> Result<Bytes, InvokeError> {
        let Targets { online, failed, of } =
            self.targets(hub, Operation::Invoke(connection_id)).await?;
        let (hub, connection_id): (Arc<str>, Arc<str>) = (hub.into(), connection_id.into());
        let mut asking = self.ask(online, |endpoint| {
            let (hub, connection_id) = (Arc::clone(&hub), Arc::clone(&connection_id));
            let payload = payload.clone();
            async move { endpoint.rest.invoke(&hub, &connection_id, payload, timeout).await }
        });
        // Only the endpoint of the connection returns a result. Dropping the other requests cancels them.
        // The connection may be at an endpoint that was left out.
        let left_out = self.unless_failed(failed, of).err();
        let mut failure = left_out.map_or(InvokeError::ConnectionGone, InvokeError::Send);
        while let Some((_, answer)) = asking.next().await {
            match answer {
                Err(InvokeError::ConnectionGone) => {}
                Err(error @ (InvokeError::Send(_) | InvokeError::TimedOut(_))) => failure = error,
                answer => return answer,
            }
        }
        Err(failure)
    }

    async fn change(&self, hub: &str, change: Change) -> Result<(), SendError> {
        let Targets { online, failed, of } = self.targets(hub, Operation::Change(&change)).await?;
        // A service may also confirm that an unknown connection has left a group. So the answer of one endpoint is
        // enough for a leave only if no endpoint was left out.
        let of_one_connection = match change {
            Change::JoinGroup { .. } | Change::Refresh { .. } => true,
            Change::LeaveGroup { .. } => failed.is_empty(),
            _ => false,
        };
        let (hub, change): (Arc<str>, _) = (hub.into(), Arc::new(change));
        let asking = self.ask(online, |endpoint| {
            let (hub, change) = (Arc::clone(&hub), Arc::clone(&change));
            async move { endpoint.rest.applied(&hub, &change).await }
        });
        let answer = match of_one_connection {
            true => self.any(asking, failed, of).await,
            false => self.all(asking, failed, of).await,
        };
        answer.map(|_| ())
    }

    async fn check(&self, hub: &str, check: Check) -> Result<bool, SendError> {
        let Targets { online, failed, of } = self.targets(hub, Operation::Check(&check)).await?;
        let hub: Arc<str> = hub.into();
        let asking = self.ask(online, |endpoint| {
            let (hub, check) = (Arc::clone(&hub), check.clone());
            async move { endpoint.rest.check(&hub, check).await }
        });
        match check {
            Check::ConnectionExists(_) => self.any(asking, failed, of).await,
            _ => self.all(asking, failed, of).await,
        }
    }

    /// Lists the members at one endpoint after the other. The continuation names the next endpoint.
    async fn members(
        &self,
        hub: &str,
        group: &str,
        continuation: Option<String>,
    ) -> Result<MemberPage, SendError> {
        let continued = continuation.as_deref().and_then(|text| text.split_once(':'));
        let (first, mut inner) = match continued {
            Some((index, inner)) => {
                (index.parse().unwrap_or(0), Some(inner.to_owned()).filter(|it| !it.is_empty()))
            }
            None => (0, None),
        };
        let Targets { online, mut failed, of } =
            self.targets(hub, Operation::Members(group)).await?;
        // The pages of the endpoints before `first` are complete.
        failed.retain(|(index, _)| *index >= first);
        self.unless_failed(failed, of)?;
        let mut rest = online.into_iter().skip_while(|(index, _)| *index < first).peekable();
        while let Some((index, endpoint)) = rest.next() {
            let inner = inner.take().filter(|_| index == first);
            let page = endpoint.rest.members(hub, group, inner).await?;
            let is_whole = page.continuation.is_none();
            let next = match (page.continuation, rest.peek()) {
                (Some(inner), _) => Some(format!("{index}:{inner}")),
                (None, Some((next, _))) => Some(format!("{next}:")),
                (None, None) => None,
            };
            if !(is_whole && page.members.is_empty()) || next.is_none() {
                return Ok(MemberPage::new(page.members, next));
            }
        }
        Ok(MemberPage::default())
    }

    fn pinned(self: Arc<Self>, names: &[String]) -> Result<Arc<dyn Outbound>, SendError> {
        let all = &self.endpoints.all;
        let mut pinned = Vec::new();
        for name in names {
            let before = pinned.len();
            let named = all.iter().enumerate().filter(|(_, it)| it.name.eq_ignore_ascii_case(name));
            pinned.extend(named.map(|(index, _)| index));
            if pinned.len() == before {
                let known = all.iter().map(|endpoint| endpoint.name.clone()).collect();
                return Err(SendError::UnknownEndpoint { name: name.clone(), known });
            }
        }
        pinned.sort_unstable();
        pinned.dedup();
        Ok(Arc::new(Self { endpoints: Arc::clone(&self.endpoints), pinned: Some(pinned) }))
    }
}
