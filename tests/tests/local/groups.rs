//! Groups of connections and of users.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use hub_local::LocalService;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{App, Client, Fixture, KEY, URL, message, segment, signed, unix_now};

async fn put(fixture: &Fixture, below: &str) {
    assert_eq!(fixture.status(Method::PUT, below).await, 200, "{below}");
}

async fn delete(fixture: &Fixture, below: &str, status: u16) {
    assert_eq!(fixture.status(Method::DELETE, below).await, status, "{below}");
}

/// Sends to the group and to all. Returns whether the client received both messages.
async fn is_member(fixture: &Fixture, client: &mut Client) -> bool {
    fixture.send("groups/g/:send", "to the group").await;
    fixture.send(":send", "to all").await;
    let heard = client.recv_text().await;
    if heard == message("to all") {
        return false;
    }
    assert_eq!(heard, message("to the group"));
    assert_eq!(client.recv_text().await, message("to all"));
    true
}

#[tokio::test(start_paused = true)]
async fn connections_join_and_leave_groups() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada").await;

    assert!(!is_member(&fixture, &mut ada).await);
    put(&fixture, &format!("groups/g/connections/{id}")).await;
    assert!(is_member(&fixture, &mut ada).await);
    delete(&fixture, &format!("groups/g/connections/{id}"), 200).await;
    assert!(!is_member(&fixture, &mut ada).await);

    put(&fixture, &format!("groups/g/connections/{id}")).await;
    delete(&fixture, &format!("connections/{id}/groups"), 200).await;
    assert!(!is_member(&fixture, &mut ada).await);
}

#[tokio::test(start_paused = true)]
async fn memberships_of_a_connection_end_with_it() {
    let fixture = Fixture::new(App::silent());
    let (ada, id) = fixture.client_and_id("ada").await;
    put(&fixture, &format!("groups/g/connections/{id}")).await;
    assert_eq!(fixture.status(Method::HEAD, "groups/g").await, 200);

    drop(ada);
    fixture.app.called("disconnected").await;

    assert_eq!(fixture.status(Method::HEAD, "groups/g").await, 404);
}

#[tokio::test(start_paused = true)]
async fn a_user_membership_exists_before_and_after_its_connections() {
    let fixture = Fixture::new(App::silent());
    put(&fixture, "users/ada/groups/g").await;
    assert_eq!(fixture.status(Method::HEAD, "users/ada/groups/g").await, 200);
    assert_eq!(fixture.status(Method::HEAD, "groups/g").await, 404, "the group has no members yet");

    let mut first = fixture.client("ada").await;
    assert!(is_member(&fixture, &mut first).await);
    drop(first);
    fixture.app.called("disconnected").await;
    let mut second = fixture.client("ada").await;
    assert!(is_member(&fixture, &mut second).await);

    delete(&fixture, "users/ada/groups/g", 204).await;
    assert!(!is_member(&fixture, &mut second).await);
    assert_eq!(fixture.status(Method::GET, "users/ada/groups/g").await, 404);
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_ends_a_users_membership_for_later_connections_only() {
    let fixture = Fixture::new(App::silent());
    let mut open = fixture.client("ada").await;
    put(&fixture, "users/ada/groups/g?ttl=10").await;

    sleep(Duration::from_secs(9)).await;
    let mut within = fixture.client("ada").await;
    sleep(Duration::from_secs(1)).await;
    let mut later = fixture.client("ada").await;

    assert_eq!(fixture.status(Method::HEAD, "users/ada/groups/g").await, 404);
    fixture.send("groups/g/:send", "to the group").await;
    fixture.send(":send", "to all").await;
    for member in [&mut open, &mut within] {
        assert_eq!(member.recv_text().await, message("to the group"));
    }
    assert_eq!(later.recv_text().await, message("to all"));
}

#[tokio::test(start_paused = true)]
async fn a_removed_user_leaves_with_every_open_connection_after_its_time_to_live_as_well() {
    let fixture = Fixture::new(App::silent());
    let mut ada = fixture.client("ada").await;
    put(&fixture, "users/ada/groups/g?ttl=10").await;
    sleep(Duration::from_secs(10)).await;

    delete(&fixture, "users/ada/groups/g", 204).await;

    assert!(!is_member(&fixture, &mut ada).await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_left_a_group_of_its_user_stays_out_and_later_connections_join() {
    let fixture = Fixture::new(App::silent());
    let (mut first, id) = fixture.client_and_id("ada").await;
    put(&fixture, "users/ada/groups/g").await;
    for path in [format!("groups/g/connections/{id}"), format!("connections/{id}/groups")] {
        put(&fixture, "users/ada/groups/g").await;

        delete(&fixture, &path, 200).await;

        assert!(!is_member(&fixture, &mut first).await, "{path}");
        assert_eq!(fixture.status(Method::HEAD, "users/ada/groups/g").await, 200);
    }

    let mut second = fixture.client("ada").await;
    assert!(is_member(&fixture, &mut second).await);
    assert_eq!(first.recv_text().await, message("to all"));
    put(&fixture, "users/ada/groups/g").await;
    assert!(is_member(&fixture, &mut first).await, "an explicit join adds all connections again");
}

#[tokio::test(start_paused = true)]
async fn a_membership_can_be_renewed() {
    let fixture = Fixture::new(App::silent());
    let mut ada = fixture.client("ada").await;
    put(&fixture, "users/ada/groups/g?ttl=10").await;
    sleep(Duration::from_secs(9)).await;

    put(&fixture, "users/ada/groups/g?ttl=10").await;
    sleep(Duration::from_secs(9)).await;

    assert!(is_member(&fixture, &mut ada).await);
}

#[tokio::test(start_paused = true)]
async fn a_ttl_of_zero_adds_only_current_connections() {
    let fixture = Fixture::new(App::silent());
    let mut present = fixture.client("ada").await;

    put(&fixture, "users/ada/groups/g?ttl=0").await;
    let mut later = fixture.client("ada").await;

    assert!(is_member(&fixture, &mut present).await);
    assert_eq!(later.recv_text().await, message("to all"));
    assert_eq!(fixture.status(Method::HEAD, "users/ada/groups/g").await, 200);
    delete(&fixture, "users/ada/groups/g", 204).await;
    assert!(!is_member(&fixture, &mut present).await);
}

#[tokio::test(start_paused = true)]
async fn removing_a_user_takes_out_connections_that_were_added_individually() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada").await;
    for path in ["users/ada/groups", "users/ada/groups/g"] {
        put(&fixture, &format!("groups/g/connections/{id}")).await;
        assert!(is_member(&fixture, &mut ada).await);

        delete(&fixture, path, 204).await;

        assert!(!is_member(&fixture, &mut ada).await, "{path}");
        assert_eq!(fixture.status(Method::HEAD, "users/ada/groups/g").await, 404);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_in_a_group_twice_gets_a_message_once() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada").await;
    put(&fixture, &format!("groups/g/connections/{id}")).await;
    put(&fixture, "users/ada/groups/g").await;

    assert!(is_member(&fixture, &mut ada).await);
}

#[tokio::test(start_paused = true)]
async fn the_newest_hundred_user_memberships_without_a_ttl_are_kept() {
    let fixture = Fixture::new(App::silent());
    let _ada = fixture.client("ada").await;

    for number in 0..=100 {
        put(&fixture, &format!("users/ada/groups/g{number}")).await;
    }

    assert_eq!(fixture.status(Method::HEAD, "users/ada/groups/g0").await, 404);
    assert_eq!(fixture.status(Method::HEAD, "users/ada/groups/g1").await, 200);
    assert_eq!(fixture.status(Method::HEAD, "users/ada/groups/g100").await, 200);
}

#[tokio::test(start_paused = true)]
async fn names_are_never_paths() {
    let fixture = Fixture::new(App::silent());
    let (mut ada, id) = fixture.client_and_id("ada/../b").await;
    let group = segment("a/b/../:send ü");
    put(&fixture, &format!("groups/{group}/connections/{id}")).await;

    fixture.send(&format!("groups/{group}/:send"), "1").await;
    fixture.send(&format!("users/{}/:send", segment("ada/../b")), "2").await;
    fixture.send("groups/a/:send", "to no member").await;

    assert_eq!(ada.recv_text().await, message("1"));
    assert_eq!(ada.recv_text().await, message("2"));
    for dots in ["..", "%2e%2e", ".", "%2E"] {
        let answer = fixture.post(&format!("groups/{dots}/:send"), r#"{"target":"m"}"#).await;
        assert_eq!(answer.outcome(), (400, Some("Error.Request.Invalid")), "{dots}");
    }
}

#[tokio::test(start_paused = true)]
async fn group_members_are_returned_in_pages() {
    let fixture = Fixture::new(App::silent());
    let (mut clients, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (client, id) = fixture.client_and_id("ada").await;
        put(&fixture, &format!("groups/g/connections/{id}")).await;
        clients.push(client);
        ids.push(id);
    }
    ids.sort();
    let mut below = "groups/g/connections?api-version=2024-12-01&maxpagesize=2".to_owned();
    let mut found = Vec::new();

    loop {
        let page = fixture.rest(Method::GET, &below, "").await.json();
        let value = page["value"].as_array().unwrap();
        assert!(value.len() <= 2);
        assert!(value.iter().all(|member| member["userId"] == "ada"));
        found.extend(value.iter().map(|it| it["connectionId"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextLink"].as_str() else { break };
        let start = "http://127.0.0.1:8888/api/hubs/chat/";
        below = next.strip_prefix(start).unwrap().to_owned();
        assert!(below.contains("api-version=2024-12-01"));
    }

    assert_eq!(found, ids);
    let top = fixture.rest(Method::GET, "groups/g/connections?top=3", "").await.json();
    assert_eq!(top["value"].as_array().unwrap().len(), 3);
    assert_eq!(top.get("nextLink"), None);
    let members = fixture.rest(Method::GET, "groups/x/connections", "").await.json();
    assert_eq!(members, json!({ "value": [] }));
    let wrong = fixture.status(Method::GET, "groups/g/connections?maxpagesize=201").await;
    assert_eq!(wrong, 400);
}

#[tokio::test(start_paused = true)]
async fn the_next_page_is_at_the_host_that_the_caller_used_unless_a_public_url_is_set() {
    let link = async |service: &LocalService, host: &str| {
        let fixture = Fixture { service: service.clone(), app: App::silent() };
        let mut clients = Vec::new();
        for user in ["ada", "bob"] {
            let mut client = fixture.open(user);
            client.handshake().await;
            put(&fixture, &format!("users/{user}/groups/g?ttl=0")).await;
            clients.push(client);
        }
        let path = "/api/hubs/chat/groups/g/connections";
        let token = signed(&json!({ "aud": format!("{URL}{path}"), "exp": unix_now() + 60 }));
        let mut request = Request::get(format!("{path}?api-version=2024-12-01&maxpagesize=1"))
            .header("authorization", format!("Bearer {token}"));
        if !host.is_empty() {
            request = request.header("host", host);
        }
        let page = fixture.request(request.body(Full::default()).unwrap()).await.json();
        page["nextLink"].as_str().unwrap().split("/api/").next().unwrap().to_owned()
    };
    let builder = || LocalService::builder().key(KEY);

    for (host, base) in [
        ("signalr:8888", "http://signalr:8888"),
        ("127.0.0.1:18888", "http://127.0.0.1:18888"),
        ("", URL),
    ] {
        assert_eq!(link(&builder().build(), host).await, base);
        let bound = builder().build();
        bound.set_public_url(URL).unwrap();
        assert_eq!(link(&bound, host).await, base, "the address of the listener is no setting");
    }
    let public = builder().public_url("https://live.example").build();
    assert_eq!(link(&public, "signalr:8888").await, "https://live.example");
}

#[tokio::test(start_paused = true)]
async fn paging_is_consistent_while_members_join_and_leave() {
    let fixture = Fixture::new(App::silent());
    let (mut clients, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let (client, id) = fixture.client_and_id("ada").await;
        clients.push(client);
        ids.push(id);
    }
    let newcomer = ids.pop().unwrap();
    for id in &ids {
        put(&fixture, &format!("groups/g/connections/{id}")).await;
    }
    ids.sort();
    let members = |page: serde_json::Value| -> Vec<String> {
        let members = page["value"].as_array().unwrap().iter();
        members.map(|it| it["connectionId"].as_str().unwrap().to_owned()).collect()
    };

    let page = fixture.rest(Method::GET, "groups/g/connections?maxpagesize=2", "").await.json();
    let next = page["nextLink"].as_str().unwrap().to_owned();
    assert_eq!(members(page), ids[..2]);
    delete(&fixture, &format!("groups/g/connections/{}", ids[0]), 200).await;
    put(&fixture, &format!("groups/g/connections/{newcomer}")).await;
    let below = next.strip_prefix("http://127.0.0.1:8888/api/hubs/chat/").unwrap();
    let below = below.replace("maxpagesize=2", "maxpagesize=200");
    let mut rest = members(fixture.rest(Method::GET, &below, "").await.json());

    // A client that connected between the two pages may or may not be in the second one.
    rest.retain(|id| *id != newcomer);
    assert_eq!(rest, ids[2..]);
}
