//! Joins and leaves groups by REST and verifies the members.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use hub_core::names;
use serde::Deserialize;
use tokio::time::timeout;

use super::{Shared, recorder::Recorder};
use crate::{
    LoadError, Report,
    client::{dialer::Dialer, http::HttpClient},
    measure::{
        histogram::Histogram,
        progress::Progress,
        report::{Latency, grouped},
    },
    messages::payload::{Payloads, rest_body},
    rest::RestClient,
};

/// Time to wait for messages. Later messages count as lost.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum page size of the operation (REST 2024-12-01, swagger, `maxpagesize`).
const MAX_PAGE_SIZE: usize = 200;

/// Clients, service and results of the run.
struct Membership<'a> {
    shared: &'a Shared,
    rest: RestClient,
    http: HttpClient,
    recorders: Vec<Recorder>,
    /// Number of the next message; unique over the run.
    next: u64,
    operations: Histogram,
    updates: u64,
    duration: Duration,
    received: u64,
    latency: Histogram,
}

/// Index of a client and index of a group.
type Pair = (usize, usize);

/// Adds each client to each group, removes half of the memberships, then the other half. After each
/// step it verifies the list of members of each group, and the receivers of a message to each
/// group.
pub(crate) async fn run(shared: &Arc<Shared>, report: &mut Report) -> Result<(), LoadError> {
    let args = &shared.args;
    let dialer = Dialer::new(args)?;
    let rest = dialer.rest_client(args).await?.ok_or_else(LoadError::no_service)?;
    let clients = dialer.connect_all(args, &shared.stats, report).await?.reading;
    let recorders = clients.into_iter().map(|client| Recorder::start(client, shared)).collect();
    shared.warm_up().await?;
    let http = dialer.http;
    let mut membership = Membership {
        shared,
        rest,
        http,
        recorders,
        next: 0,
        operations: Histogram::default(),
        updates: 0,
        duration: Duration::ZERO,
        received: 0,
        latency: Histogram::default(),
    };
    let progress = Progress::new(args);
    let remains = |(client, group): Pair| (client + group) % 2 == 0;
    for round in 1..=args.rounds {
        let show = |what: &str, updates| {
            let updates = grouped(updates as f64);
            progress.show(&format!("round {round} of {}: {updates} {what}", args.rounds));
        };
        show("joined", membership.update(Method::PUT, |_| true).await?);
        membership.verify(|_| true).await?;
        show("left", membership.update(Method::DELETE, |pair| !remains(pair)).await?);
        membership.verify(remains).await?;
        show("left", membership.update(Method::DELETE, remains).await?);
        membership.verify(|_| false).await?;
    }
    shared.stop.cancel();
    report.operations = membership.updates;
    report.operation = Latency::of(&membership.operations);
    report.messages = membership.received;
    report.latency = Latency::of(&membership.latency);
    report.set_duration(membership.duration);
    Ok(())
}

impl Membership<'_> {
    /// Adds or removes the memberships in `chosen`, several at a time.
    async fn update(
        &mut self,
        method: Method,
        chosen: impl Fn(Pair) -> bool,
    ) -> Result<u64, LoadError> {
        let began = Instant::now();
        let (membership, method) = (&*self, &method);
        let pairs = (0..self.shared.args.groups)
            .flat_map(|group| (0..membership.recorders.len()).map(move |client| (client, group)));
        let updating = pairs.filter(|pair| chosen(*pair)).map(|(client, group)| async move {
            let began = Instant::now();
            let id = membership.recorders.get(client).and_then(|it| it.id.as_deref());
            let id = names::encode_segment(id.unwrap_or_default());
            let path = format!("groups/{}/connections/{id}", name(group));
            membership.rest.call_ok(&membership.http, method.clone(), &path, Vec::new()).await?;
            Ok::<_, LoadError>(began.elapsed())
        });
        let updating = stream::iter(updating).buffer_unordered(self.shared.args.inflight);
        let start = (Histogram::default(), 0);
        let updated = updating.try_fold(start, |(mut operations, count), took| async move {
            operations.record(took);
            Ok((operations, count + 1))
        });
        let (operations, count) = updated.await?;
        self.operations.add(&operations);
        self.updates += count;
        self.duration += began.elapsed();
        Ok(count)
    }

    /// Compares the actual members with the expected ones.
    async fn verify(&mut self, expected: impl Fn(Pair) -> bool) -> Result<(), LoadError> {
        for group in 0..self.shared.args.groups {
            let members = (0..self.recorders.len()).filter(|client| expected((*client, group)));
            let members = members.filter_map(|it| self.recorders.get(it)?.id.clone()).collect();
            if self.members(group).await? != members {
                self.shared.stats.error(format!("the members of group {} are wrong", name(group)));
            }
        }
        self.send_to_groups(expected).await
    }

    /// Connection ids of all pages of a group.
    async fn members(&self, group: usize) -> Result<BTreeSet<String>, LoadError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            value: Vec<Member>,
            next_link: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Member {
            connection_id: String,
        }
        let (mut members, mut after) = (BTreeSet::new(), String::new());
        loop {
            let path =
                format!("groups/{}/connections?maxpagesize={MAX_PAGE_SIZE}{after}", name(group));
            let body = self.rest.call_ok(&self.http, Method::GET, &path, Vec::new()).await?;
            let page: Page = serde_json::from_slice(&body).map_err(LoadError::protocol)?;
            let ids = page.value.into_iter().map(|member| member.connection_id);
            let before = members.len();
            members.extend(ids);
            let Some(last) = page.next_link.and_then(|_| members.last()) else {
                return Ok(members);
            };
            if members.len() == before {
                return Err(LoadError::protocol(
                    "a page of group members repeats the previous one",
                ));
            }
            after = format!("&continuationToken={}", names::encode_segment(last));
        }
    }

    /// Sends one message to each group, then one to all clients. The service keeps the order, so a
    /// client that has received the last message receives no further group messages.
    async fn send_to_groups(&mut self, expected: impl Fn(Pair) -> bool) -> Result<(), LoadError> {
        let (first, groups) = (self.next, self.shared.args.groups);
        let fence = first + groups as u64;
        self.next = fence + 1;
        let payloads = Payloads { length: self.shared.args.payload };
        let mut sent = Vec::new();
        for (number, group) in (first..=fence).zip(0..) {
            let body = rest_body(&self.shared.args.message, payloads, number);
            let path =
                if number == fence { ":send" } else { &format!("groups/{}/:send", name(group)) };
            sent.push(Instant::now());
            self.rest.call_ok(&self.http, Method::POST, path, body).await?;
        }
        let all = async {
            for recorder in &self.recorders {
                recorder.wait_for(fence).await;
            }
        };
        // On a timeout the missing messages are counted as lost below.
        let _ = timeout(RECEIVE_TIMEOUT, all).await;
        let stats = &self.shared.stats;
        for (client, recorder) in self.recorders.iter().enumerate() {
            let wanted = (0..groups).filter(|group| expected((client, *group)));
            let wanted: HashSet<u64> = wanted.map(|group| first + group as u64).collect();
            let mut missing = wanted.clone();
            missing.insert(fence);
            for (number, at) in recorder.take() {
                if missing.remove(&number) {
                    self.received += 1;
                    let index = usize::try_from(number - first).unwrap_or(usize::MAX);
                    if let Some(sent) = sent.get(index) {
                        self.latency.record(at.duration_since(*sent));
                    }
                } else if wanted.contains(&number) || number == fence {
                    stats.duplicated.fetch_add(1, Ordering::Relaxed);
                } else {
                    stats.error("a client received a message to a group that it is not in");
                }
            }
            stats.lost.fetch_add(missing.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn name(group: usize) -> String {
    format!("load-{group}")
}
