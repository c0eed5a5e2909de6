//! Joins and leaves groups by REST and verifies the members.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use hub_core::names;
use serde::Deserialize;

use super::{Shared, fleet::Fleet};
use crate::{
    LoadError, Report,
    measure::{histogram::Histogram, progress::Progress, report::grouped},
    rest::RestClient,
};

/// Maximum page size of the operation (REST 2024-12-01, swagger, `maxpagesize`).
const MAX_PAGE_SIZE: usize = 200;

/// Index of a client and index of a group.
type Pair = (usize, usize);

/// Adds each client to each group, removes half of the memberships, then the remaining half. After each
/// step, verifies the list of members of each group, and the receivers of a message to each group.
pub(crate) async fn run(shared: &Arc<Shared>, report: &mut Report) -> Result<(), LoadError> {
    let (args, progress) = (&shared.args, Progress::new(&shared.args));
    let mut fleet = Fleet::connect(shared, report).await?;
    shared.warm_up().await?;
    let remains = |(client, group): Pair| (client + group) % 2 == 0;
    for round in 1..=args.rounds {
        let show = |what: &str, updates| {
            let updates = grouped(updates as f64);
            progress.show(&format!("round {round} of {}: {updates} {what}", args.rounds));
        };
        show("joined", update(&mut fleet, Method::PUT, |_| true).await?);
        verify(&mut fleet, |_| true).await?;
        show("left", update(&mut fleet, Method::DELETE, |pair| !remains(pair)).await?);
        verify(&mut fleet, remains).await?;
        show("left", update(&mut fleet, Method::DELETE, remains).await?);
        verify(&mut fleet, |_| false).await?;
    }
    fleet.finish(report);
    Ok(())
}

/// Adds or removes the memberships in `chosen`, several at a time, and returns their number.
async fn update(
    fleet: &mut Fleet<'_>,
    method: Method,
    chosen: impl Fn(Pair) -> bool,
) -> Result<u64, LoadError> {
    let (began, args) = (Instant::now(), &fleet.shared.args);
    let (rest, recorders, method) = (&fleet.rest, &fleet.recorders, &method);
    let pairs =
        (0..args.groups).flat_map(|group| (0..recorders.len()).map(move |client| (client, group)));
    let updating = pairs.filter(|pair| chosen(*pair)).map(|(client, group)| async move {
        let began = Instant::now();
        let id = recorders.get(client).and_then(|it| it.id.as_deref());
        let id = names::encode_segment(id.unwrap_or_default());
        let path = format!("groups/{}/connections/{id}", name(group));
        rest.call(method.clone(), &path, Vec::new()).await?;
        Ok::<_, LoadError>(began.elapsed())
    });
    let updating = stream::iter(updating).buffer_unordered(args.inflight);
    let updates = updating.try_fold(Histogram::default(), |mut updates, took| async move {
        updates.record(took);
        Ok(updates)
    });
    let updates = updates.await?;
    fleet.operations.add(&updates);
    fleet.duration += began.elapsed();
    Ok(updates.count())
}

/// Compares the actual members with the expected members, by member lists and by messages to the groups.
async fn verify(fleet: &mut Fleet<'_>, expected: impl Fn(Pair) -> bool) -> Result<(), LoadError> {
    let groups = fleet.shared.args.groups;
    for group in 0..groups {
        let clients = fleet.recorders.iter().enumerate();
        let wanted = clients.filter(|(client, _)| expected((*client, group)));
        let wanted = wanted.filter_map(|(_, recorder)| recorder.id.clone()).collect();
        if members(&fleet.rest, group).await? != wanted {
            fleet.shared.stats.error(format!("the members of group {} are wrong", name(group)));
        }
    }
    let to_groups = (0..groups).map(|group| format!("groups/{}/:send", name(group)));
    let paths: Vec<_> = to_groups.chain([":send".to_owned()]).collect();
    fleet.send(&paths, |client, path| path == groups || expected((client, path))).await
}

/// Connection ids of all pages of a group.
async fn members(rest: &RestClient, group: usize) -> Result<BTreeSet<String>, LoadError> {
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
        let path = format!("groups/{}/connections?maxpagesize={MAX_PAGE_SIZE}{after}", name(group));
        let body = rest.call(Method::GET, &path, Vec::new()).await?;
        let page: Page = serde_json::from_slice(&body).map_err(LoadError::protocol)?;
        let before = members.len();
        members.extend(page.value.into_iter().map(|member| member.connection_id));
        let Some(last) = page.next_link.and_then(|_| members.last()) else {
            return Ok(members);
        };
        if members.len() == before {
            return Err(LoadError::protocol("a page of group members repeats the previous page"));
        }
        after = format!("&continuationToken={}", names::encode_segment(last));
    }
}

fn name(group: usize) -> String {
    format!("load-{group}")
}
