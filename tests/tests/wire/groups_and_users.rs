//! Groups, users and closed connections, from the handles of a hub through the local service to the
//! clients.

use std::time::Duration;

use hub_runtime::{
    clients::Member,
    prelude::*,
    testing::{TestClient, TestHub},
};
use serde_json::json;

struct Loop;

#[serverless_hub]
impl Loop {}

async fn connected(hub: &TestHub<Loop>, user: &str) -> TestClient<Loop> {
    hub.user(user).connect().await.unwrap()
}

/// Whether each client receives a message to a group.
async fn heard(hub: &TestHub<Loop>, group: &str, clients: &[&TestClient<Loop>]) -> Vec<bool> {
    let mut before = Vec::new();
    for client in clients {
        before.push(client.received("news").await.len());
    }
    hub.context().clients().group(group).send("news", ()).await.unwrap();
    let mut heard = Vec::new();
    for (client, before) in clients.iter().zip(before) {
        heard.push(client.received("news").await.len() > before);
    }
    heard
}

#[tokio::test]
async fn a_connection_joins_and_leaves_one_group_or_all() {
    let hub = TestHub::new(Loop);
    let (ada, bob) = (connected(&hub, "ada").await, connected(&hub, "bob").await);
    let groups = hub.context().groups();

    groups.add(ada.connection_id(), "a").await.unwrap();
    groups.add(ada.connection_id(), "b").await.unwrap();
    groups.add(bob.connection_id(), "b").await.unwrap();
    assert_eq!(heard(&hub, "a", &[&ada, &bob]).await, [true, false]);
    assert_eq!(heard(&hub, "b", &[&ada, &bob]).await, [true, true]);

    groups.remove(bob.connection_id(), "b").await.unwrap();
    groups.remove(bob.connection_id(), "never joined").await.unwrap();
    assert_eq!(heard(&hub, "b", &[&ada, &bob]).await, [true, false]);

    groups.remove_from_all(ada.connection_id()).await.unwrap();
    assert_eq!(heard(&hub, "a", &[&ada, &bob]).await, [false, false]);
    assert_eq!(heard(&hub, "b", &[&ada, &bob]).await, [false, false]);
}

struct Rooms;

#[serverless_hub]
impl Rooms {
    /// Adds the caller to a group that the client chooses.
    async fn join(&self, ctx: &Context<Self>, room: String) -> HubResult<()> {
        Ok(ctx.groups().add(ctx.connection_id(), &room).await?)
    }

    async fn say(&self, ctx: &Context<Self>, room: String) -> HubResult<()> {
        Ok(ctx.clients().group(&room).send("said", (&room,)).await?)
    }
}

#[tokio::test]
async fn groups_that_look_like_paths_are_encoded_or_refused_end_to_end() {
    let hub = TestHub::new(Rooms);
    let mallory = hub.user("mallory").connect().await.unwrap();
    let other = hub.user("other").connect().await.unwrap();
    other.invoke::<()>("join", ("..x",)).await.unwrap();

    let names = ["a/b", "a?b", "a#b", "😀", "%2e%2e", "../..", "a%2Fb", "...", "/", ":send", "a b"];
    for room in names {
        mallory.invoke::<()>("join", (room,)).await.unwrap();
        mallory.invoke::<()>("say", (room,)).await.unwrap();
        let said = mallory.received("said").await;
        assert_eq!(said.last().unwrap(), &json!([room]));
    }
    assert_eq!(mallory.received("said").await.len(), names.len(), "each once");

    for room in ["..", ".", "", " ", "a\r\nb", "a\0b"] {
        mallory.invoke::<()>("join", (room,)).await.unwrap_err();
        mallory.invoke::<()>("say", (room,)).await.unwrap_err();
    }
    assert!(other.received("said").await.is_empty());
}

#[tokio::test]
async fn each_member_is_on_exactly_one_page() {
    const MEMBERS: usize = 450;
    let hub = TestHub::new(Loop);
    let mut clients = Vec::new();
    for number in 0..MEMBERS {
        let client = connected(&hub, &format!("user-{number}")).await;
        hub.context().groups().add(client.connection_id(), "crowd").await.unwrap();
        clients.push(client);
    }

    let (mut count, mut members) = (0, Vec::<Member>::new());
    let mut pages = hub.context().groups().members("crowd");
    while let Some(page) = pages.next_page().await.unwrap() {
        count += 1;
        members.extend(page);
    }

    assert_eq!(count, 3);
    let mut ids: Vec<_> = members.iter().map(|member| member.connection_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), MEMBERS);
    assert!(members.iter().any(|member| member.user_id.as_deref() == Some("user-449")));
    let mut pages = hub.context().groups().members("absent");
    assert_eq!(pages.next_page().await.unwrap(), Some(Vec::new()));
    assert_eq!(pages.next_page().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_user_membership_adds_all_connections_until_removal_or_expiry() {
    let hub = TestHub::new(Loop);
    let users = hub.context().user_groups();
    let early = connected(&hub, "ada").await;

    users.add("ada", "for good").await.unwrap();
    users.add_for("ada", "a minute", Duration::from_secs(60)).await.unwrap();
    users.add_for("ada", "only now", Duration::ZERO).await.unwrap();
    let late = connected(&hub, "ada").await;

    assert_eq!(heard(&hub, "for good", &[&early, &late]).await, [true, true]);
    assert_eq!(heard(&hub, "a minute", &[&early, &late]).await, [true, true]);
    assert_eq!(heard(&hub, "only now", &[&early, &late]).await, [true, false]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(!users.contains("ada", "a minute").await.unwrap());
    let last = connected(&hub, "ada").await;
    assert_eq!(heard(&hub, "a minute", &[&early, &late, &last]).await, [true, true, false]);
    users.remove("ada", "for good").await.unwrap();
    assert!(!users.contains("ada", "for good").await.unwrap());
    assert_eq!(heard(&hub, "for good", &[&early, &late]).await, [false, false]);
}

#[tokio::test]
async fn removing_a_user_from_all_groups_works_and_unknown_users_have_none() {
    let hub = TestHub::new(Loop);
    let users = hub.context().user_groups();
    let ada = connected(&hub, "ada").await;
    users.add("ada", "a").await.unwrap();
    users.add("ada", "b").await.unwrap();
    assert!(users.contains("ada", "a").await.unwrap());
    assert!(!users.contains("absent", "a").await.unwrap());

    users.remove_from_all("ada").await.unwrap();

    assert!(!users.contains("ada", "a").await.unwrap());
    assert_eq!(heard(&hub, "b", &[&ada]).await, [false]);
}

#[tokio::test]
async fn existence_checks_follow_connections() {
    let hub = TestHub::new(Loop);
    let manager = hub.context().client_manager();
    let ada = connected(&hub, "ada").await;
    let id = ada.connection_id().to_owned();
    hub.context().groups().add(&id, "g").await.unwrap();

    assert!(manager.connection_exists(&id).await.unwrap());
    assert!(manager.user_exists("ada").await.unwrap());
    assert!(manager.group_exists("g").await.unwrap());
    ada.disconnect().await;

    assert!(!manager.connection_exists(&id).await.unwrap());
    assert!(!manager.user_exists("ada").await.unwrap());
    assert!(!manager.group_exists("g").await.unwrap());
}

#[tokio::test]
async fn close_operations_send_the_reason_and_skip_excluded_connections() {
    let hub = TestHub::new(Loop);
    let manager = hub.context().client_manager();
    let clients = [
        connected(&hub, "ada").await,
        connected(&hub, "ada").await,
        connected(&hub, "bob").await,
        connected(&hub, "eve").await,
        connected(&hub, "eve").await,
    ];
    let id = |number: usize| clients[number].connection_id();
    for number in [2, 3] {
        hub.context().groups().add(id(number), "g").await.unwrap();
    }
    let reason_of = async |number: usize| loop {
        if let Some(reason) = clients[number].ended() {
            return reason;
        }
        tokio::task::yield_now().await;
    };

    manager.close(id(0), Some("one")).await.unwrap();
    assert!(reason_of(0).await.contains("one"));
    manager.close_user("eve", Some("user"), &[id(3)]).await.unwrap();
    assert!(reason_of(4).await.contains("user"));
    manager.close_group("g", Some("group"), &[id(3)]).await.unwrap();
    assert!(reason_of(2).await.contains("group"));
    manager.close_all(Some("all"), &[id(3)]).await.unwrap();
    assert!(reason_of(1).await.contains("all"));

    // The calls above exclude this connection, so it is still open.
    hub.context().clients().all().send("news", (1,)).await.unwrap();
    assert_eq!(clients[3].received("news").await, [json!([1])]);
    assert_eq!(clients[3].ended(), None);
    // Closing an ended connection is not an error.
    manager.close(id(0), None).await.unwrap();
}
