//! Hubs, users, groups and times to live, compared with a slow and simple model.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    rest_support::call,
    support::{App, Client, Fixture, URL, eventually, signed, unix_now},
};

const HUBS: usize = 2;
const USERS: usize = 3;
const GROUPS: usize = 3;
const LASTING: Duration = Duration::from_hours(24 * 365);

#[derive(Clone, Debug)]
enum Step {
    Connect { hub: usize, user: Option<usize> },
    Disconnect(usize),
    Close(usize),
    Join(usize, usize),
    Leave(usize, usize),
    LeaveAll(usize),
    AddUser { hub: usize, user: usize, group: usize, ttl: Option<u64> },
    RemoveUser { hub: usize, user: usize, group: usize },
    RemoveUserFromAll { hub: usize, user: usize },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (hub, user, group) = (0..HUBS, 0..USERS, 0..GROUPS);
    // Selects an open connection by number, modulo the number of open connections.
    let client = 0..8_usize;
    let ttl = prop_oneof![Just(None), Just(Some(0)), (1..20_u64).prop_map(Some)];
    prop_oneof![
        4 => (hub.clone(), prop::option::weighted(0.8, user.clone()))
            .prop_map(|(hub, user)| Step::Connect { hub, user }),
        1 => client.clone().prop_map(Step::Disconnect),
        1 => client.clone().prop_map(Step::Close),
        3 => (client.clone(), group.clone()).prop_map(|(client, group)| Step::Join(client, group)),
        2 => (client.clone(), group.clone()).prop_map(|(client, group)| Step::Leave(client, group)),
        1 => client.prop_map(Step::LeaveAll),
        5 => (hub.clone(), user.clone(), group.clone(), ttl)
            .prop_map(|(hub, user, group, ttl)| Step::AddUser { hub, user, group, ttl }),
        2 => (hub.clone(), user.clone(), group)
            .prop_map(|(hub, user, group)| Step::RemoveUser { hub, user, group }),
        1 => (hub, user).prop_map(|(hub, user)| Step::RemoveUserFromAll { hub, user }),
        3 => (1..10_u64).prop_map(Step::Wait),
    ]
}

/// A connection of the model and its groups. `for_now` contains those that its user joined with a time to live
/// of zero.
struct Present {
    hub: usize,
    user: Option<usize>,
    id: String,
    client: Client,
    groups: BTreeSet<usize>,
    for_now: BTreeSet<usize>,
}

/// The model and the service under test.
struct World {
    fixture: Fixture,
    present: Vec<Present>,
    /// The end of the membership of a user in a group, by hub, user and group.
    users: BTreeMap<(usize, usize, usize), Instant>,
}

impl World {
    /// A REST path below a hub, with unusual spellings of its name. Hub 1 belongs to an application.
    fn path(hub: usize, below: &str) -> String {
        match hub {
            0 => format!("/api/hubs/Chat/{below}"),
            _ => format!("/api/v1/hubs/cHAT/{below}?application=App"),
        }
    }

    async fn status(&self, method: &str, hub: usize, below: &str) -> u16 {
        call(&self.fixture, method, &Self::path(hub, below), &[], b"").await.status
    }

    async fn done(&self, method: &str, hub: usize, below: &str) {
        let status = self.status(method, hub, below).await;
        assert!((200..300).contains(&status), "{method} {below}: {status}");
    }

    fn find(&self, client: usize) -> Option<usize> {
        (!self.present.is_empty()).then(|| client % self.present.len())
    }

    async fn connect(&mut self, hub: usize, user: Option<usize>) {
        let name = ["CHAT", "app_Chat"][hub];
        let url = format!("{URL}/client/?hub={name}");
        let mut claims = json!({ "aud": url, "exp": unix_now() + 3600 });
        if let Some(user) = user {
            claims["sub"] = json!(format!("u{user}"));
        }
        let memory = self.fixture.service.connect_memory(&url, &signed(&claims)).unwrap();
        let (mut client, before) = (Client::in_memory(memory), self.fixture.app.calls().len());
        client.handshake().await;
        eventually(|| self.fixture.app.calls().len() > before).await;
        let id = self.fixture.last_id();
        let of_user = |group: &usize| user.is_some_and(|user| self.lasts(hub, user, *group));
        let (groups, for_now) = ((0..GROUPS).filter(of_user).collect(), BTreeSet::new());
        self.present.push(Present { hub, user, id, client, groups, for_now });
    }

    /// Waits until the service has made the `disconnected` calls of all ended connections.
    async fn gone(&self, ended: usize) {
        let disconnected = || {
            let events = self.fixture.app.events();
            events.iter().filter(|event| *event == "disconnected").count()
        };
        eventually(|| disconnected() >= ended).await;
    }

    async fn take(&mut self, step: Step, ended: &mut usize) {
        match step {
            Step::Connect { hub, user } => self.connect(hub, user).await,
            Step::Disconnect(client) => {
                let Some(index) = self.find(client) else { return };
                drop(self.present.remove(index));
                *ended += 1;
                self.gone(*ended).await;
            }
            Step::Close(client) => {
                let Some(index) = self.find(client) else { return };
                let Present { hub, id, client, .. } = self.present.remove(index);
                self.done("DELETE", hub, &format!("connections/{id}")).await;
                drop(client);
                *ended += 1;
                self.gone(*ended).await;
            }
            Step::Join(client, group) => {
                let Some(index) = self.find(client) else { return };
                self.present[index].groups.insert(group);
                let Present { hub, id, .. } = &self.present[index];
                self.done("PUT", *hub, &format!("groups/g{group}/connections/{id}")).await;
            }
            Step::Leave(client, group) => {
                let Some(index) = self.find(client) else { return };
                self.present[index].groups.remove(&group);
                self.present[index].for_now.remove(&group);
                let Present { hub, id, .. } = &self.present[index];
                self.done("DELETE", *hub, &format!("connections/{id}/groups/g{group}")).await;
            }
            Step::LeaveAll(client) => {
                let Some(index) = self.find(client) else { return };
                self.present[index].groups.clear();
                self.present[index].for_now.clear();
                let Present { hub, id, .. } = &self.present[index];
                self.done("DELETE", *hub, &format!("connections/{id}/groups")).await;
            }
            Step::AddUser { hub, user, group, ttl } => self.add(hub, user, group, ttl).await,
            Step::RemoveUser { hub, user, group } => {
                self.users.remove(&(hub, user, group));
                for present in self.of_user(hub, user) {
                    present.groups.remove(&group);
                    present.for_now.remove(&group);
                }
                self.done("DELETE", hub, &format!("users/u{user}/groups/g{group}")).await;
            }
            Step::RemoveUserFromAll { hub, user } => {
                self.users.retain(|(at, who, _), _| (*at, *who) != (hub, user));
                for present in self.of_user(hub, user) {
                    present.groups.clear();
                    present.for_now.clear();
                }
                self.done("DELETE", hub, &format!("users/u{user}/groups")).await;
            }
            Step::Wait(seconds) => sleep(Duration::from_secs(seconds)).await,
        }
    }

    async fn add(&mut self, hub: usize, user: usize, group: usize, ttl: Option<u64>) {
        let query = ttl.map(|ttl| format!("ttl={ttl}")).unwrap_or_default();
        let path = Self::path(hub, &format!("groups/g{group}/users/u{user}"));
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}{query}");
        let status = call(&self.fixture, "PUT", &path, &[], b"").await.status;
        assert!([200, 202].contains(&status));
        for present in self.of_user(hub, user) {
            present.groups.insert(group);
            if ttl == Some(0) {
                present.for_now.insert(group);
            }
        }
        if ttl == Some(0) {
            return;
        }
        let until = Instant::now() + ttl.map_or(LASTING, Duration::from_secs);
        self.users.insert((hub, user, group), until);
    }

    fn of_user(&mut self, hub: usize, user: usize) -> impl Iterator<Item = &mut Present> {
        let is = move |it: &&mut Present| it.hub == hub && it.user == Some(user);
        self.present.iter_mut().filter(is)
    }

    fn lasts(&self, hub: usize, user: usize, group: usize) -> bool {
        self.users.get(&(hub, user, group)).is_some_and(|until| Instant::now() < *until)
    }

    async fn agrees(&self) {
        for hub in 0..HUBS {
            for group in 0..GROUPS {
                self.group_agrees(hub, group).await;
            }
            for user in 0..USERS {
                self.user_agrees(hub, user).await;
            }
        }
        assert_eq!(self.fixture.service.counters().connections, self.present.len());
    }

    async fn group_agrees(&self, hub: usize, group: usize) {
        let path = Self::path(hub, &format!("groups/g{group}/connections"));
        let page = call(&self.fixture, "GET", &path, &[], b"").await.json();
        let listed: BTreeSet<String> = page["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["connectionId"].as_str().unwrap().to_owned())
            .collect();
        let here = self.present.iter().filter(|it| it.hub == hub && it.groups.contains(&group));
        let expected: BTreeSet<String> = here.map(|it| it.id.clone()).collect();
        assert_eq!(listed, expected, "hub {hub}, group {group}");
        let status = if expected.is_empty() { 404 } else { 200 };
        assert_eq!(self.status("HEAD", hub, &format!("groups/g{group}")).await, status);
    }

    async fn user_agrees(&self, hub: usize, user: usize) {
        let here = || self.present.iter().filter(|it| it.hub == hub && it.user == Some(user));
        let status = if here().next().is_some() { 200 } else { 404 };
        assert_eq!(self.status("HEAD", hub, &format!("users/u{user}")).await, status);
        for group in 0..GROUPS {
            let for_now = here().any(|it| it.for_now.contains(&group));
            let member = self.lasts(hub, user, group) || for_now;
            let below = format!("users/u{user}/groups/g{group}");
            let status = if member { 200 } else { 404 };
            assert_eq!(self.status("GET", hub, &below).await, status, "hub {hub} {below}");
        }
    }
}

async fn run(steps: Vec<Step>) {
    let fixture = Fixture::new(App::silent());
    let mut world = World { fixture, present: Vec::new(), users: BTreeMap::new() };
    let mut ended = 0;
    for step in steps {
        world.take(step, &mut ended).await;
        world.agrees().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_registry_matches_a_simple_model(steps in prop::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(run(steps));
    }
}

#[tokio::test(start_paused = true)]
async fn memberships_without_a_ttl_or_with_a_long_one_end_after_a_year() {
    let fixture = Fixture::new(App::silent());
    // The requests are sent up to a year later, so their tokens have a long lifetime.
    let status = async |method: &str, below: &str| {
        let path = format!("/api/hubs/chat/{below}");
        let resource = path.split('?').next().unwrap();
        let claims = json!({ "aud": format!("{URL}{resource}"), "exp": unix_now() + 100_000_000 });
        let request = http::Request::builder()
            .method(method)
            .uri(&path)
            .header("authorization", format!("Bearer {}", signed(&claims)));
        fixture.request(request.body(http_body_util::Full::default()).unwrap()).await.status
    };
    assert_eq!(status("PUT", "users/ada/groups/g").await, 200);
    assert_eq!(status("PUT", "users/ada/groups/long?ttl=2147483647").await, 200);

    sleep(LASTING - Duration::from_secs(1)).await;
    assert_eq!(status("HEAD", "users/ada/groups/g").await, 200);
    assert_eq!(status("HEAD", "users/ada/groups/long").await, 200);
    sleep(Duration::from_secs(1)).await;

    assert_eq!(status("HEAD", "users/ada/groups/g").await, 404);
    assert_eq!(status("HEAD", "users/ada/groups/long").await, 404);
}
