//! The state of the service as one document.

use std::{collections::BTreeMap, sync::Arc};

use http::Response;
use serde_json::{Value, json};

use super::json as to_json;
use crate::{
    body::Body,
    causes::Cause,
    connection::{Connection, Hub},
    inspect::{Inspection, Peer, Recorder, rfc3339},
    query::Query,
    state::State,
};

/// The version of the schema in docs/inspect.md.
const VERSION: u8 = 1;
/// How many clients, groups and users a response has by default, and at most.
const PAGE: usize = 500;
const MAX_PAGE: usize = 2000;

/// A part of each list.
struct Page {
    offset: usize,
    size: usize,
    /// Lower case.
    find: String,
}

impl Page {
    fn of(query: Query<'_>) -> Self {
        let number = |name| query.first(name).and_then(|text| text.trim().parse().ok());
        Self {
            offset: number("offset").unwrap_or(0),
            size: number("clients").unwrap_or(PAGE).min(MAX_PAGE),
            find: query.first("find").unwrap_or_default().to_lowercase(),
        }
    }

    fn finds(&self, texts: &[&str]) -> bool {
        self.find.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&self.find))
    }

    fn cut<'a, T>(&self, all: &'a [T]) -> impl Iterator<Item = &'a T> {
        all.iter().skip(self.offset).take(self.size)
    }
}

pub(super) fn respond(
    state: &Arc<State>,
    inspection: &Inspection,
    query: Option<&str>,
) -> Response<Body> {
    let query = Query::new(query);
    let page = Page::of(query);
    let recorder = &inspection.recorder;
    let mut hubs = state.hubs.all();
    hubs.sort_by(|left, right| left.name().cmp(right.name()));
    let everyone: Vec<_> = hubs.iter().flat_map(|hub| hub.everyone().to_vec()).collect();
    let mut document = json!({
        "version": VERSION,
        "instance": inspection.instance,
        "service": service(state, recorder),
        "stations": stations(recorder, &everyone),
        "events": events(recorder),
    });
    let contract =
        inspection.contract().filter(|_| query.first("contract").as_deref() != Some("0"));
    document["hubs"] = self::hubs(&hubs, contract.as_deref());
    if let Some(contract) = contract {
        document["schemas"] = contract.get("schemas").cloned().unwrap_or_default();
    }
    clients(&mut document, recorder, &everyone, &page);
    groups(&mut document, &hubs, &page);
    users(&mut document, &hubs, &page);
    to_json(&document)
}

fn service(state: &State, recorder: &Recorder) -> Value {
    let is_embedded = state.shared.upstream.as_ref().is_some_and(|it| it.is_in_process());
    json!({
        "url": *state.authority.public_url(),
        "mode": if is_embedded { "embedded" } else { "command" },
        "started": rfc3339(recorder.started()),
        "version": env!("CARGO_PKG_VERSION"),
        "payloads": recorder.has_payloads(),
        "masked": recorder.masks(),
    })
}

fn stations(recorder: &Recorder, everyone: &[Arc<Connection>]) -> Value {
    let (mut transports, mut protocols) = (BTreeMap::new(), BTreeMap::new());
    for connection in everyone {
        *transports.entry(connection.transport.name()).or_insert(0_usize) += 1;
        *protocols.entry(connection.protocol().name()).or_insert(0_usize) += 1;
    }
    let averages = recorder.averages();
    let apps = recorder.apps().into_iter().map(|app| {
        let error = app.last_error.map(|(at, trouble)| {
            let text = recorder.shown(&trouble.text);
            let (cause, fix) = (trouble.cause.map(Cause::id), trouble.cause.map(Cause::check));
            json!({ "at": rfc3339(at), "cause": cause, "text": text, "fix": fix })
        });
        match app.url {
            Some(url) => json!({ "url": url, "reachable": app.reachable, "last_error": error }),
            None => json!({ "embedded": true, "reachable": app.reachable, "last_error": error }),
        }
    });
    json!({
        "clients": {
            "count": everyone.len(), "by_transport": transports, "by_protocol": protocols,
        },
        "service": {
            "calls_per_second": averages.calls_per_second,
            "failing_share": averages.failing_share,
            "messages_per_second": averages.messages_per_second,
        },
        "apps": apps.collect::<Vec<_>>(),
    })
}

fn events(recorder: &Recorder) -> Value {
    let (kept, first, last) = recorder.kept();
    json!({ "kept": kept, "first": first, "last": last, "left_out": recorder.overwritten() })
}

/// The hubs of the service and those of the contract.
fn hubs(hubs: &[Arc<Hub>], contract: Option<&Value>) -> Value {
    let described = contract.and_then(|it| it.get("hubs")).and_then(Value::as_array);
    let described = described.into_iter().flatten().filter_map(|hub| {
        let name = hub.get("service_name").or_else(|| hub.get("name"))?;
        let name = name.as_str()?.to_ascii_lowercase();
        Some((name, (0, hub.clone())))
    });
    let mut all: BTreeMap<String, (usize, Value)> = described.collect();
    for hub in hubs {
        all.entry(hub.name().to_owned()).or_default().0 = hub.connections();
    }
    let hub = |(name, (clients, contract))| json!({ "name": name, "clients": clients, "contract": contract });
    all.into_iter().map(hub).collect()
}

fn clients(document: &mut Value, recorder: &Recorder, everyone: &[Arc<Connection>], page: &Page) {
    let found = |it: &&Arc<Connection>| {
        page.finds(&[it.id(), it.user().unwrap_or_default(), it.hub.name()])
    };
    let mut found: Vec<_> = everyone.iter().filter(found).collect();
    found.sort_by_key(|it| (it.peer.as_deref().map(Peer::since), it.id()));
    document["clients_total"] = found.len().into();
    let clients = page.cut(&found).map(|it| client(recorder, it));
    document["clients"] = clients.collect();
}

fn client(recorder: &Recorder, connection: &Connection) -> Value {
    let time = |of: fn(&Peer) -> u64| connection.peer.as_deref().map(of).map(rfc3339);
    json!({
        "connection": connection.id(),
        "user": connection.user(),
        "hub": connection.hub.name(),
        "transport": connection.transport.name(),
        "protocol": connection.protocol().name(),
        "groups": connection.hub.groups_of(connection.id()),
        "resumable": connection.is_resumable(),
        "since": time(Peer::since),
        "last_seen": time(Peer::last_seen),
        "waiting_bytes": connection.outbox.waiting_bytes(),
        "claims": recorder.claims(connection.facts.claims()),
    })
}

fn groups(document: &mut Value, hubs: &[Arc<Hub>], page: &Page) {
    let groups = hubs.iter().flat_map(|hub| {
        let groups = hub.groups().into_iter();
        groups.map(|(name, members)| (hub.name(), name, members))
    });
    let mut found: Vec<_> = groups.filter(|(hub, name, _)| page.finds(&[hub, name])).collect();
    found.sort_unstable();
    document["groups_total"] = found.len().into();
    let groups = page.cut(&found);
    document["groups"] = groups
        .map(|(hub, name, members)| json!({ "hub": hub, "name": name, "members": members }))
        .collect();
}

fn users(document: &mut Value, hubs: &[Arc<Hub>], page: &Page) {
    let users = hubs.iter().flat_map(|hub| hub.users().into_iter().map(|it| (hub.name(), it)));
    let mut found: Vec<_> = users.filter(|(hub, it)| page.finds(&[hub, &it.name])).collect();
    found.sort_by(|(hub, user), (other_hub, other)| {
        (hub, &user.name).cmp(&(other_hub, &other.name))
    });
    document["users_total"] = found.len().into();
    let users = page.cut(&found).map(|(hub, user)| {
        let groups = user.groups.iter();
        let groups: Vec<_> = groups
            .map(|(name, left)| json!({ "name": name, "ttl_seconds": left.as_secs() }))
            .collect();
        json!({
            "hub": hub, "user": user.name, "connections": user.connections, "groups": groups,
        })
    });
    document["users"] = users.collect();
}
