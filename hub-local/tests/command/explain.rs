//! Log lines that explain failed upstream calls, one line per call.

use crate::{
    app::{App, Response},
    client::Client,
    process::Running,
};

#[tokio::test]
async fn a_refused_call_is_logged_with_its_response_and_advice() {
    let app = App::start(|request| {
        let is_connected = request.event() == "connected";
        Some(if is_connected {
            Response::new(200, "")
        } else {
            Response::new(404, "no\nsuch function")
        })
    })
    .await;
    let upstream = format!("{}/hook/{{event}}?code=secret", app.url);
    let service = Running::start(&["--upstream", &upstream]).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("7", "größe").await;

    assert_eq!(client.receive().await["error"], "Invocation failed, status code 404");
    let line = service.log.line("upstream call was not accepted").await;
    let id = app.called("größe").await.header("X-ASRS-Connection-Id").unwrap().to_owned();
    let url = format!("url=\"{}/hook/gr%C3%B6%C3%9Fe\"", app.url);
    for part in [
        "WARN",
        &format!("connection=\"{id}\""),
        "hub=\"chat\"",
        "event=\"größe\"",
        &url,
        "status=404",
        "milliseconds=",
        "answer=\"no\\nsuch function\"",
        "cause=\"not_found\"",
        "check=\"the path of the URL",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(!service.log.text().contains("secret"));
}

#[tokio::test]
async fn an_app_that_does_not_run_is_reported() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let service = Running::start(&["--upstream", &url]).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("7", "m").await;

    assert_eq!(client.receive().await["error"], "Invocation failed, status code 500");
    let line = service.log.line("event=\"m\"").await;
    assert!(line.contains("upstream call failed"), "{line}");
    assert!(line.contains("Connection refused"), "{line}");
    assert!(line.contains("that the app runs, and listens on the port of the URL"), "{line}");
}

#[tokio::test]
async fn redirects_are_reported_and_not_followed() {
    let target = App::named("x").await;
    let app = App::start(|_| Some(Response::new(307, ""))).await;
    let service = Running::start(&["--upstream", &app.url]).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("7", "m").await;

    assert_eq!(client.receive().await["error"], "Invocation failed, status code 307");
    service.log.line("redirects are not followed").await;
    assert_eq!(target.events(), [""; 0]);
}

#[tokio::test]
async fn successful_calls_are_not_logged() {
    let app = App::named("x").await;
    let service = Running::start(&["--upstream", &app.url]).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("7", "m").await;
    client.receive().await;

    assert_eq!(service.log.text(), "");
}
