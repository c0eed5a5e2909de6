//! Joins and leaves of groups by REST, and who is really in them.

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

use crate::{
    LoadError, Shared,
    entrance::Entrance,
    histogram::Histogram,
    listener::Listener,
    message::{Payloads, rest_body},
    over_http::HttpClient,
    progress::Progress,
    report::{Latency, Report, grouped},
    service::Service,
};

/// How long the messages to all groups are waited for.
const LAST: Duration = Duration::from_secs(30);
/// As many members as a page has at most.
const PAGE: usize = 200;

/// Everyone, and how to change who is where.
struct World<'a> {
    shared: &'a Shared,
    service: Service,
    http: HttpClient,
    listeners: Vec<Listener>,
    /// The next message; no number comes twice.
    next: u64,
    operations: Histogram,
    changes: u64,
    spent: Duration,
    received: u64,
    latency: Histogram,
}

/// A client and a group, by their numbers.
type Place = (usize, usize);

/// Joins every client to every group, takes half of the memberships away, then the others; after each
/// step it looks who is a member, by the list of each group and by who gets a message to it.
pub(crate) async fn run(shared: &Arc<Shared>, report: &mut Report) -> Result<(), LoadError> {
    let args = &shared.args;
    let entrance = Entrance::new(args)?;
    let service = entrance.service(args).await?.ok_or_else(LoadError::no_service)?;
    let clients = entrance.connect_all(shared, report).await?.clients;
    let listeners = clients.into_iter().map(|client| Listener::start(client, shared)).collect();
    shared.begins().await?;
    let http = entrance.http;
    let mut world = World {
        shared,
        service,
        http,
        listeners,
        next: 0,
        operations: Histogram::default(),
        changes: 0,
        spent: Duration::ZERO,
        received: 0,
        latency: Histogram::default(),
    };
    let progress = Progress::new(args);
    let stays = |(client, group): Place| (client + group) % 2 == 0;
    for round in 1..=args.rounds {
        let say = |what: &str, changes| {
            let changes = grouped(changes as f64);
            progress.show(&format!("round {round} of {}: {changes} {what}", args.rounds));
        };
        say("joined", world.change(Method::PUT, |_| true).await?);
        world.look(|_| true).await?;
        say("left", world.change(Method::DELETE, |place| !stays(place)).await?);
        world.look(stays).await?;
        say("left", world.change(Method::DELETE, stays).await?);
        world.look(|_| false).await?;
    }
    shared.stop.cancel();
    report.operations = world.changes;
    report.operation = Latency::of(&world.operations);
    report.messages = world.received;
    report.latency = Latency::of(&world.latency);
    report.spent(world.spent);
    Ok(())
}

impl World<'_> {
    /// Joins or leaves wherever `chosen` says, several at a time.
    async fn change(
        &mut self,
        method: Method,
        chosen: impl Fn(Place) -> bool,
    ) -> Result<u64, LoadError> {
        let began = Instant::now();
        let (world, method) = (&*self, &method);
        let places = (0..self.shared.args.groups)
            .flat_map(|group| (0..world.listeners.len()).map(move |client| (client, group)));
        let changing = places.filter(|place| chosen(*place)).map(|(client, group)| async move {
            let began = Instant::now();
            let id = world.listeners.get(client).and_then(|it| it.id.as_deref());
            let id = names::encode_segment(id.unwrap_or_default());
            let path = format!("groups/{}/connections/{id}", name(group));
            world.service.done(&world.http, method.clone(), &path, Vec::new()).await?;
            Ok::<_, LoadError>(began.elapsed())
        });
        let changing = stream::iter(changing).buffer_unordered(self.shared.args.inflight);
        let start = (Histogram::default(), 0);
        let changed = changing.try_fold(start, |(mut operations, count), took| async move {
            operations.record(took);
            Ok((operations, count + 1))
        });
        let (operations, count) = changed.await?;
        self.operations.add(&operations);
        self.changes += count;
        self.spent += began.elapsed();
        Ok(count)
    }

    /// Compares who is where with who should be.
    async fn look(&mut self, expected: impl Fn(Place) -> bool) -> Result<(), LoadError> {
        for group in 0..self.shared.args.groups {
            let members = (0..self.listeners.len()).filter(|client| expected((*client, group)));
            let members = members.filter_map(|it| self.listeners.get(it)?.id.clone()).collect();
            if self.members(group).await? != members {
                self.shared.stats.error(format!("the list of {} is wrong", name(group)));
            }
        }
        self.send_to_groups(expected).await
    }

    /// The connection ids in a group, page by page.
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
            let path = format!("groups/{}/connections?maxpagesize={PAGE}{after}", name(group));
            let body = self.service.done(&self.http, Method::GET, &path, Vec::new()).await?;
            let page: Page = serde_json::from_slice(&body).map_err(LoadError::protocol)?;
            let ids = page.value.into_iter().map(|member| member.connection_id);
            let before = members.len();
            members.extend(ids);
            let Some(last) = page.next_link.and_then(|_| members.last()) else {
                return Ok(members);
            };
            if members.len() == before {
                return Err(LoadError::protocol("a page of a group brings nothing new"));
            }
            after = format!("&continuationToken={}", names::encode_segment(last));
        }
    }

    /// Sends one message to each group and then one to everyone, behind which nothing of the others
    /// can come any more.
    async fn send_to_groups(&mut self, expected: impl Fn(Place) -> bool) -> Result<(), LoadError> {
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
            self.service.done(&self.http, Method::POST, path, body).await?;
        }
        let all = async {
            for listener in &self.listeners {
                listener.until(fence).await;
            }
        };
        // What has not come by then is lost.
        let _ = timeout(LAST, all).await;
        let stats = &self.shared.stats;
        for (client, listener) in self.listeners.iter().enumerate() {
            let wanted = (0..groups).filter(|group| expected((client, *group)));
            let wanted: HashSet<u64> = wanted.map(|group| first + group as u64).collect();
            let mut missing = wanted.clone();
            missing.insert(fence);
            for (number, at) in listener.take() {
                if missing.remove(&number) {
                    self.received += 1;
                    let index = usize::try_from(number - first).unwrap_or(usize::MAX);
                    if let Some(sent) = sent.get(index) {
                        self.latency.record(at.duration_since(*sent));
                    }
                } else if wanted.contains(&number) || number == fence {
                    stats.duplicated.fetch_add(1, Ordering::Relaxed);
                } else {
                    stats.error("a client got a message to a group that it is not in");
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
