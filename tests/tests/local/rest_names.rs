//! Names that look like another part of a path, in every position.

use crate::{
    rest_support::{call, post},
    support::{App, Fixture, RestResponse, message, segment},
};

const BODY: &str = r#"{"target":"m","arguments":["hi"]}"#;

async fn get(fixture: &Fixture, path: &str) -> RestResponse {
    call(fixture, "GET", path, &[], b"").await
}

#[tokio::test(start_paused = true)]
async fn names_are_encoded_under_both_prefixes() {
    for name in ["a/b", "a?b", "a#b", "a b", "a%2Fb", "😀 ü", ":send", "...", "a+b", "a;b=c&d"] {
        let fixture = Fixture::new(App::silent());
        let (mut client, id) = fixture.client_and_id(name).await;
        let encoded = segment(name);
        let at = |below: String| format!("/api/hubs/chat/{below}");
        let old = |below: String| format!("/api/v1/hubs/chat/{below}");
        let below = format!("groups/{encoded}/connections/{id}");
        assert_eq!(call(&fixture, "PUT", &at(below), &[], b"").await.status, 200, "{name}");

        for path in [at(format!("users/{encoded}/:send")), old(format!("groups/{encoded}"))] {
            assert_eq!(post(&fixture, &path, BODY).await.status, 202, "{name}");
            assert_eq!(client.recv_text().await, message("hi"), "{name}");
        }

        for below in [format!("users/{encoded}"), format!("groups/{encoded}")] {
            assert_eq!(get(&fixture, &at(below.clone())).await.status, 200, "{name}");
            assert_eq!(get(&fixture, &old(below)).await.status, 200, "{name}");
        }
        let listed = get(&fixture, &at(format!("groups/{encoded}/connections"))).await.json();
        assert_eq!(listed["value"][0]["userId"], name);
        assert_eq!(listed["value"][0]["connectionId"], id);
    }
}

#[tokio::test(start_paused = true)]
async fn dots_blanks_and_control_characters_are_refused() {
    let fixture = Fixture::new(App::silent());
    for bad in ["..", ".", "%2e%2e", "%2E", ".%2e", "", "a%00b", "a%0Ab", "a%7Fb", "%FF"] {
        for below in [
            format!("groups/{bad}/:send"),
            format!("users/{bad}/:send"),
            format!("connections/{bad}/:send"),
            format!("groups/{bad}/connections"),
            format!("groups/g/users/{bad}"),
            format!("connections/{bad}/streams/s/:complete"),
        ] {
            for prefix in ["/api/hubs/chat", "/api/v1/hubs/chat"] {
                let answer = post(&fixture, &format!("{prefix}/{below}"), BODY).await;
                let wanted = (400, Some("Error.Request.Invalid"));
                assert_eq!(answer.outcome(), wanted, "{prefix}/{below}");
            }
        }
    }
    for blank in ["%20", "%09%20", "%E2%80%89"] {
        let path = format!("/api/hubs/chat/groups/{blank}/:send");
        assert_eq!(post(&fixture, &path, BODY).await.status, 400);
    }
}

#[tokio::test(start_paused = true)]
async fn hub_and_application_names_are_validated() {
    let fixture = Fixture::new(App::silent());
    let long = "a".repeat(129);
    for bad in ["..", "%2e%2e", "1a", "a%2Fb", "a%3Fb", "a%23b", "%F0%9F%98%80", "a-b", "", &long] {
        let answer = post(&fixture, &format!("/api/hubs/{bad}/:send"), BODY).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!(answer.json()["target"], "hub");
        if !bad.is_empty() {
            let path = format!("/api/hubs/chat/:send?application={bad}");
            let answer = post(&fixture, &path, BODY).await;
            assert_eq!(answer.status, 400, "{bad}");
            assert_eq!(answer.json()["target"], "application");
        }
    }
    for good in ["chat", "C_`,.[]9", &"a".repeat(128)] {
        let path = format!("/api/hubs/{}/:send?application=", segment(good));
        assert_eq!(post(&fixture, &path, BODY).await.status, 202, "{good}");
    }
}

#[tokio::test(start_paused = true)]
async fn groups_have_up_to_1024_characters_and_streams_100() {
    let fixture = Fixture::new(App::silent());
    let status =
        async |below: String| post(&fixture, &format!("/api/hubs/chat/{below}"), BODY).await.status;
    let name = |times| segment(&"ü".repeat(times));

    assert_eq!(status(format!("groups/{}/:send", name(1024))).await, 202);
    assert_eq!(status(format!("groups/{}/:send", name(1025))).await, 400);
    assert_eq!(status(format!("connections/c/streams/{}/:send", name(100))).await, 202);
    assert_eq!(status(format!("connections/c/streams/{}/:send", name(101))).await, 400);
    assert_eq!(status("connections/c/streams/%20/:send".to_owned()).await, 400);
}

#[tokio::test(start_paused = true)]
async fn a_hub_with_an_application_name_is_separate_and_lower_case() {
    let fixture = Fixture::new(App::silent());
    let mut plain = fixture.client("ada").await;

    let sent = post(&fixture, "/api/hubs/chat/:send?application=App", BODY).await;
    assert_eq!(sent.status, 202);
    assert_eq!(post(&fixture, "/api/hubs/CHAT/:send", BODY).await.status, 202);

    assert_eq!(plain.recv_text().await, message("hi"), "once, not twice");
    assert_eq!(post(&fixture, "/api/hubs/chat/:send", &BODY.replace("hi", "2")).await.status, 202);
    assert_eq!(plain.recv_text().await, message("2"));
}
