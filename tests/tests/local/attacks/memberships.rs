//! Attempts to join groups without end: the limits per connection, per user and of the whole service.

use http::Method;
use hub_local::Limits;
use serde_json::json;

use crate::support::{App, Fixture, message};

const TOO_MANY: (u16, Option<&str>) = (400, Some("Error.Group.TooMany"));

fn fixture(groups: usize, memberships: usize) -> Fixture {
    Fixture::with(
        App::silent(),
        Limits::default().max_groups_per_member(groups).max_memberships(memberships),
    )
}

#[tokio::test(start_paused = true)]
async fn the_group_limit_of_a_connection_is_freed_by_leaving() {
    let fixture = fixture(3, 1000);
    let (mut ada, id) = fixture.client_and_id("ada").await;
    let (_bob, other) = fixture.client_and_id("bob").await;
    let join = async |id: &str, group: &str| {
        fixture.rest(Method::PUT, &format!("groups/{group}/connections/{id}"), "").await
    };
    for group in ["a", "b", "c", "a"] {
        assert_eq!(join(&id, group).await.status, 200);
    }

    let refused = join(&id, "d").await;

    assert_eq!(refused.outcome(), TOO_MANY);
    let text = refused.json()["message"].as_str().unwrap().to_owned();
    assert_eq!(text, "a connection or user can be in at most 3 groups");
    assert_eq!(fixture.status(Method::GET, "groups/d").await, 404);
    assert_eq!(join(&other, "d").await.status, 200, "others may");

    let leave = format!("groups/a/connections/{id}");
    assert_eq!(fixture.status(Method::DELETE, &leave).await, 200);
    assert_eq!(join(&id, "d").await.status, 200);
    fixture.send("groups/d/:send", "x").await;
    assert_eq!(ada.recv_text().await, message("x"));
}

#[tokio::test(start_paused = true)]
async fn the_group_limit_of_a_user_applies_to_every_ttl() {
    let fixture = fixture(3, 1000);
    let (_ada, _id) = fixture.client_and_id("ada").await;
    let add = async |group: &str, ttl: &str| {
        fixture.rest(Method::PUT, &format!("users/ada/groups/{group}{ttl}"), "").await
    };
    for group in ["a", "b", "c"] {
        assert_eq!(add(group, "?ttl=60").await.status, 200);
        assert_eq!(add(group, "?ttl=0").await.status, 200);
    }

    assert_eq!(add("d", "?ttl=60").await.outcome(), TOO_MANY);
    assert_eq!(add("d", "?ttl=0").await.outcome(), TOO_MANY);
    assert_eq!(add("a", "?ttl=60").await.status, 200, "again is no more");

    assert_eq!(fixture.status(Method::DELETE, "users/ada/groups/b").await, 204);
    assert_eq!(add("d", "?ttl=60").await.status, 200, "leaving makes room");
}

#[tokio::test(start_paused = true)]
async fn expired_memberships_of_a_user_do_not_count() {
    let fixture = fixture(3, 1000);
    let add = async |group: &str| {
        fixture.rest(Method::PUT, &format!("users/ada/groups/{group}?ttl=60"), "").await
    };
    for group in ["a", "b", "c"] {
        assert_eq!(add(group).await.status, 200);
    }
    assert_eq!(add("d").await.outcome(), TOO_MANY);

    tokio::time::sleep(std::time::Duration::from_secs(61)).await;

    assert_eq!(add("d").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_room_for_the_groups_of_its_user_is_open_and_the_log_names_it() {
    let fixture = fixture(1000, 3);
    for group in ["a", "b"] {
        let below = format!("users/ada/groups/{group}?ttl=60");
        assert_eq!(fixture.status(Method::PUT, &below).await, 200);
    }

    let log = test_support::logged(tracing_subscriber::filter::LevelFilter::WARN, async {
        let mut ada = fixture.client("ada").await;
        fixture.send("users/ada/:send", "x").await;
        assert_eq!(ada.recv_text().await, message("x"));
    });

    let log = log.await;
    assert!(log.contains("groups=1") && log.contains("no more group memberships"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn the_total_membership_limit_is_freed_by_leaving_and_closing() {
    let fixture = fixture(1000, 10);
    let (ada, id) = fixture.client_and_id("ada").await;
    let (_bob, other) = fixture.client_and_id("bob").await;
    let join = async |id: &str, group: usize| {
        fixture.rest(Method::PUT, &format!("groups/g{group}/connections/{id}"), "").await
    };
    for group in 0..9 {
        assert_eq!(join(&id, group).await.status, 200);
    }
    assert_eq!(fixture.status(Method::PUT, "users/eve/groups/g?ttl=60").await, 200);

    for refused in [join(&other, 0).await, join(&id, 9).await] {
        assert_eq!(refused.outcome(), TOO_MANY);
        let text = refused.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(text, "the service can store at most 10 group memberships");
    }
    assert_eq!(fixture.status(Method::PUT, "users/mia/groups/g").await, 400);
    assert_eq!(fixture.status(Method::DELETE, "users/eve/groups").await, 204);
    assert_eq!(join(&other, 0).await.status, 200);
    assert_eq!(join(&other, 1).await.status, 400);

    drop(ada);
    fixture.app.called("disconnected").await;
    for group in 1..10 {
        assert_eq!(join(&other, group).await.status, 200, "{group}");
    }
    assert_eq!(join(&other, 10).await.outcome(), TOO_MANY);
    // Leaving a group makes room again, so that repeated joining and leaving never reaches the limit.
    assert_eq!(fixture.status(Method::DELETE, &format!("connections/{other}/groups")).await, 200);
    for group in 0..100 {
        assert_eq!(join(&other, group).await.status, 200);
        let leave = format!("groups/g{group}/connections/{other}");
        assert_eq!(fixture.status(Method::DELETE, &leave).await, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn commands_above_the_group_limit_fail_and_the_others_run() {
    let fixture = fixture(5, 1000);
    let mut ada = fixture.client("ada").await;
    let mut commands: Vec<_> =
        (0..20).map(|group| json!({ "type": "JoinGroup", "group": format!("g{group}") })).collect();
    let said = json!({ "target": "m", "arguments": ["done"] });
    commands.push(json!({ "type": "SendMessage", "message": said }));

    let answer = fixture.post(":execute", &json!(commands).to_string()).await;

    assert_eq!(answer.outcome(), TOO_MANY);
    assert_eq!(ada.recv_text().await, message("done"));
    assert_eq!(fixture.status(Method::GET, "groups/g4").await, 200);
    assert_eq!(fixture.status(Method::GET, "groups/g5").await, 404);
}

#[tokio::test(start_paused = true)]
async fn expired_memberships_free_the_limit_across_hubs() {
    let fixture = fixture(1000, 2);
    let add = async |user: &str, hub: &str| {
        fixture.rest(Method::PUT, &format!("users/{user}/groups/g?ttl=60{hub}"), "").await
    };
    for user in ["ada", "bob"] {
        assert_eq!(add(user, "").await.status, 200);
    }
    let other = "&application=other";
    assert_eq!(add("eve", other).await.outcome(), TOO_MANY);

    tokio::time::sleep(std::time::Duration::from_secs(61)).await;

    assert_eq!(add("eve", other).await.status, 200);
}
