//! Names that look like a path, a query or a header line.

use serde_json::json;

use crate::{
    rest_support::{call, post},
    support::{App, Fixture, URL, message, segment, signed, unix_now},
};

const BODY: &str = r#"{"target":"m","arguments":["hi"]}"#;

#[tokio::test(start_paused = true)]
async fn groups_that_look_like_paths_are_encoded_or_refused() {
    let fixture = Fixture::new(App::silent());
    let (mut inside, id) = fixture.client_and_id("inside").await;
    let (mut outside, _) = fixture.client_and_id("outside").await;
    let at = |group: &str, below: &str| format!("/api/hubs/chat/groups/{group}{below}");

    // No group has such a name, plain or percent-encoded, and the request reaches no other resource.
    for dots in ["..", "%2e%2e", "%2E%2E", ".%2e", ".", "%2e", "..%00", "%0d%0a"] {
        for below in ["/:send", "", "/:closeConnections", &format!("/connections/{id}")] {
            let method = if below.starts_with("/connections") { "PUT" } else { "POST" };
            let headers = [(http::header::CONTENT_TYPE, "application/json")];
            let path = at(dots, below);
            let answer = call(&fixture, method, &path, &headers, BODY.as_bytes()).await;
            assert_eq!(answer.outcome(), (400, Some("Error.Request.Invalid")), "{path}");
        }
    }

    // The service decodes names exactly once. The decoded names are ordinary names.
    for name in
        ["a/b", "a?b", "a#b", "😀", "../..", "%2e%2e", "a%2Fb", "/", "a/../b", "..;", "a\\b"]
    {
        let group = segment(name);
        let join = at(&group, &format!("/connections/{id}"));
        assert_eq!(call(&fixture, "PUT", &join, &[], b"").await.status, 200, "{name}");
        assert_eq!(post(&fixture, &at(&group, "/:send"), BODY).await.status, 202, "{name}");
        assert_eq!(inside.recv_text().await, message("hi"), "{name}");
        let leave = call(&fixture, "DELETE", &join, &[], b"").await;
        assert_eq!(leave.status, 200, "{name}");
        assert_eq!(call(&fixture, "GET", &at(&group, ""), &[], b"").await.status, 404, "{name}");
    }

    // The same rules apply to the commands of `:execute`, where names are not part of a path.
    for (name, status) in [("..", 400), (".", 400), ("a\r\nb", 400), (" ", 400), ("../..", 202)] {
        let commands = json!([{ "type": "JoinGroup", "group": name }]).to_string();
        assert_eq!(fixture.post(":execute", &commands).await.status, status, "{name:?}");
    }
    fixture.send(":send", "to all").await;
    assert_eq!(
        outside.recv_text().await,
        message("to all"),
        "who was in no group got nothing else"
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_id_cannot_contain_a_line_break() {
    let fixture = Fixture::new(App::silent());
    let url = format!("{URL}/client/?hub=chat");
    for break_ in ["\r\n", "\n", "\r", "\0", "\u{85}", "\u{7f}", "\u{1b}"] {
        let user = format!("ada{break_}X-ASRS-User-Claims: role: admin");
        for claim in ["asrs.s.uid", "nameid", "sub"] {
            let token = signed(&json!({ "aud": url, "exp": unix_now() + 60, claim: user }));
            let error = fixture.service.connect_memory(&url, &token).unwrap_err();
            assert_eq!(error.status, 400, "{user:?} in {claim}");
            assert_eq!(error.text, "a user id must not contain control characters");
        }
        for path in ["users/{}/:send", "users/{}", "groups/g/users/{}", ":generateToken?userId={}"]
        {
            let path = format!("/api/hubs/chat/{}", path.replace("{}", &segment(&user)));
            assert_eq!(post(&fixture, &path, BODY).await.status, 400, "{path}");
        }
    }
    assert!(fixture.app.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_method_name_has_at_most_1024_characters() {
    let fixture = Fixture::new(App::silent());
    let mut client = fixture.client("ada").await;

    for length in [1025, 65_536, 1_000_000] {
        client.call_with_id("7", &"m".repeat(length)).await;
        let refusal = "{\"type\":3,\"invocationId\":\"7\",\"error\":\"a method name has at most 1024 characters\"}\x1e";
        assert_eq!(client.recv_text().await, refusal);
    }
    client.call_with_id("8", &"ü".repeat(1024)).await;

    assert_eq!(client.recv_text().await, "{\"type\":3,\"invocationId\":\"8\"}\x1e");
    assert_eq!(fixture.app.calls().len(), 2, "`connected` and the last");
}

#[tokio::test(start_paused = true)]
async fn upstream_headers_cannot_contain_a_line_break() {
    let fixture = Fixture::new(App::silent());
    let url = format!("{URL}/client/?hub=chat&x=%0D%0AX-Evil:%201");
    let token = signed(&json!({
        "aud": format!("{URL}/client/?hub=chat"), "exp": unix_now() + 60, "nameid": "ada",
        "role": "x\r\nX-Evil: 1", "a\r\nX-Evil": "1", "list": ["fine", "x\nX-Evil: 1"]
    }));
    let mut client =
        crate::support::Client::in_memory(fixture.service.connect_memory(&url, &token).unwrap());
    client.handshake().await;
    let call =
        json!({ "type": 1, "invocationId": "1", "target": "m\r\nX-Evil: 1", "arguments": [] });
    client.send_text(&call.to_string()).await;
    assert!(client.recv_text().await.contains("must not contain control characters"));
    client.call("fine").await;
    fixture.app.called("fine").await;

    for call in fixture.app.calls() {
        for (name, value) in &call.headers {
            assert!(!name.as_str().contains("evil"), "{name}");
            assert!(!value.as_bytes().iter().any(u8::is_ascii_control), "{name}: {value:?}");
        }
        assert!(!call.header("x-asrs-user-claims").unwrap().contains("Evil"));
        assert_eq!(call.header("x-asrs-client-query"), Some("?hub=chat&x=%0D%0AX-Evil:%201"));
    }
}
