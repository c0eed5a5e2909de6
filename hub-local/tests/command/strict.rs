//! `--strict`: an `invoke` that matches no upstream template, and clients that are closed.

use serde_json::json;

use crate::{
    app::App,
    client::{Client, rest},
    process::{Folder, Running},
};

async fn with_one_event(arguments: &[&str]) -> (App, Folder, Running) {
    let app = App::named("x").await;
    let folder = Folder::new(&format!("strict-{}", arguments.len()));
    folder.write_settings(&format!(
        r#"{{ "UpstreamSettings": {{ "Templates": [ {{ "UrlTemplate": "{}/",
            "CategoryPattern": "messages", "EventPattern": "known, other" }} ] }} }}"#,
        app.url
    ));
    let mut line = vec!["-c", folder.text()];
    line.extend(arguments);
    let service = Running::start(&line).await;
    (app, folder, service)
}

#[tokio::test]
async fn an_unmatched_invoke_gets_an_error_and_a_log_line() {
    let (app, _folder, service) = with_one_event(&[]).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("1", "unknown").await;
    let response = client.receive().await;

    assert_eq!(response["invocationId"], "1");
    let text = response["error"].as_str().unwrap();
    assert!(text.contains("no upstream is configured for this method"), "{text}");
    let line = service.log.line("event=\"unknown\"").await;
    for part in ["WARN", "no upstream template matches this event", "hub=\"chat\"", "check="] {
        assert!(line.contains(part), "{line}");
    }
    service.log.line("event=\"connected\"").await;
    assert_eq!(app.events(), [""; 0]);
}

#[tokio::test]
async fn with_strict_an_unmatched_invoke_gets_no_response() {
    let (_app, _folder, service) = with_one_event(&["--strict"]).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("1", "unknown").await;
    client.invoke("2", "known").await;

    // Calls of one connection run in order, so a response to the first would have arrived.
    assert_eq!(client.receive().await["invocationId"], "2");
    service.log.line("event=\"unknown\"").await;
}

#[tokio::test]
async fn strictly_a_client_that_a_rest_call_closes_may_reconnect() {
    let close = json!({ "type": 7 });
    let close_with_reconnect = json!({ "type": 7, "allowReconnect": true });
    for (arguments, wanted) in [(&[][..], close), (&["--strict"][..], close_with_reconnect)] {
        let service = Running::start(arguments).await;
        let mut client = Client::connect(service.port, "chat").await;

        let status = rest(service.port, "POST", "/api/hubs/chat/:closeConnections").await;

        assert_eq!(status, 204);
        assert_eq!(client.receive().await, wanted, "{arguments:?}");
    }
}
