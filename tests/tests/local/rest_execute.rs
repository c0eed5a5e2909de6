//! `:execute`: commands for the connections that a filter selects.

use crate::{
    rest_support::{call, post},
    support::{App, Client, Fixture, message, segment},
};

const PATH: &str = "/api/hubs/chat/:execute?api-version=2023-07-01";

async fn execute(fixture: &Fixture, filter: &str, commands: &str) {
    let path = format!("{PATH}&filter={}", segment(filter));
    let answer = post(fixture, &path, commands).await;
    assert_eq!((answer.status, answer.body.len()), (202, 0), "{:?}", answer.body);
}

fn invocation(text: &str) -> String {
    let message = format!(r#"{{"target":"m","arguments":["{text}"]}}"#);
    format!(r#"[{{"type":"SendMessage","message":{message}}}]"#)
}

async fn clients(fixture: &Fixture) -> [(Client, String); 3] {
    [
        fixture.client_and_id("ada").await,
        fixture.client_and_id("bob").await,
        fixture.client_and_id("listener-1").await,
    ]
}

#[tokio::test(start_paused = true)]
async fn messages_reach_the_connections_that_match_the_filter() {
    let fixture = Fixture::new(App::silent());
    let [(mut ada, ada_id), (mut bob, bob_id), (mut eve, _)] = clients(&fixture).await;
    let below = format!("/api/hubs/chat/groups/g/connections/{ada_id}");
    assert_eq!(call(&fixture, "PUT", &below, &[], b"").await.status, 200);

    execute(&fixture, "", &invocation("all")).await;
    execute(&fixture, "userId eq 'ada'", &invocation("ada")).await;
    execute(&fixture, &format!("connectionId in ('{bob_id}','x')"), &invocation("bob")).await;
    execute(&fixture, "startswith(userId, 'listener-')", &invocation("eve")).await;
    execute(&fixture, "'g' in groups or userId ne 'ada' and userId ne 'bob'", &invocation("g"))
        .await;
    execute(&fixture, "not ('g' in groups)", &invocation("not g")).await;

    for (client, texts) in [(&mut ada, &["all", "ada", "g"]), (&mut bob, &["all", "bob", "not g"])]
    {
        for text in texts {
            assert_eq!(client.recv_text().await, message(text));
        }
    }
    for text in ["all", "eve", "g", "not g"] {
        assert_eq!(eve.recv_text().await, message(text));
    }
}

#[tokio::test(start_paused = true)]
async fn commands_run_in_order_and_for_the_same_connections() {
    let fixture = Fixture::new(App::silent());
    let [(mut ada, _), (mut bob, _), _] = clients(&fixture).await;

    let commands = r#"[{"type":"JoinGroup","group":"a/b"},
        {"type":"SendMessage","message":{"Target":"m","Arguments":["last"]}},
        {"type":"CloseConnection","reason":"bye"}]"#;
    execute(&fixture, "userId eq 'bob'", r#"[{"type":"JoinGroup","group":"a/b"}]"#).await;
    execute(&fixture, "not ('a/b' in groups) and userId eq 'ada'", commands).await;

    assert_eq!(ada.recv_text().await, message("last"));
    assert_eq!(ada.recv_text().await, "{\"type\":7,\"error\":\"bye\"}\x1e");
    let group = "/api/hubs/chat/groups/a%2Fb";
    assert_eq!(call(&fixture, "HEAD", group, &[], b"").await.status, 200);
    execute(&fixture, "", r#"[{"type":"LeaveGroup","group":"a/b"}]"#).await;
    assert_eq!(call(&fixture, "HEAD", group, &[], b"").await.status, 404);
    execute(&fixture, "", r#"[{"type":"CloseConnection"}]"#).await;
    assert_eq!(bob.recv_text().await, "{\"type\":7}\x1e");
}

#[tokio::test(start_paused = true)]
async fn one_invalid_command_rejects_all_commands() {
    let fixture = Fixture::new(App::silent());
    let mut ada = fixture.client("ada").await;

    let half = r#"[{"type":"CloseConnection"},{"type":"JoinGroup"}]"#;
    let answer = post(&fixture, PATH, half).await;

    assert_eq!(answer.outcome(), (400, Some("Error.Request.Invalid")));
    assert_eq!(answer.json()["message"], "command 1: `group` is missing");
    fixture.send(":send", "still there").await;
    assert_eq!(ada.recv_text().await, message("still there"));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_filter_is_an_error_with_its_position() {
    let fixture = Fixture::new(App::silent());

    let path = format!("{PATH}&filter={}", segment("age gt 5"));
    let answer = post(&fixture, &path, "[]").await;

    assert_eq!(answer.outcome(), (400, Some("Error.Request.Invalid")));
    assert_eq!(answer.json()["target"], "filter");
    let text = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(text.starts_with("`age` is unexpected at character 1; a filter supports"), "{text}");
}
