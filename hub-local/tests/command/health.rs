//! `hub-local health` beside a running, a stopping and a missing service.

use tokio::net::TcpListener;

use crate::{
    app::{App, Response},
    process::{Running, command, output, with_timeout},
    stopping::stopping,
};

/// Exit code and output of `hub-local health` with variables.
async fn health(variables: &[(&str, &str)]) -> (i32, String) {
    let mut health = command();
    health.arg("health").envs(variables.iter().copied());
    let done = with_timeout("the end", health.output()).await.unwrap();
    let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    (done.status.code().unwrap(), text)
}

#[tokio::test]
async fn a_running_service_is_healthy_at_its_url_and_at_the_port_of_the_variable() {
    let service = Running::start(&[]).await;
    let port = service.port.to_string();
    let url = format!("http://127.0.0.1:{port}");
    let expected = (0, format!("{url} accepts requests\n"));

    let (code, out, errors) = output(&["health", "--url", &url]).await;

    assert_eq!(((code, out), &*errors), (expected.clone(), ""));
    assert_eq!(health(&[("HUB_LOCAL_PORT", &port)]).await, expected);
    assert_eq!(health(&[("HUB_LOCAL_PORT", &port), ("HUB_LOCAL_IP", "0.0.0.0")]).await, expected);
}

#[tokio::test]
async fn a_stopping_service_is_not_healthy() {
    let service = stopping().await;

    let (code, text) = health(&[("HUB_LOCAL_PORT", &service.port.to_string())]).await;

    assert_eq!(code, 1);
    assert!(text.contains("is stopping"), "{text}");
}

#[tokio::test]
async fn without_a_service_the_error_has_the_address_and_the_fix() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();

    let (code, text) = health(&[("HUB_LOCAL_PORT", &unused.to_string())]).await;

    assert_eq!(code, 1);
    let start = format!("error: http://127.0.0.1:{unused} cannot be reached: ");
    assert!(text.starts_with(&start) && text.contains("`--url`"), "{text}");
}

#[tokio::test]
async fn another_server_and_one_that_says_nothing_are_not_healthy() {
    let other = App::start(|_| Some(Response::new(404, ""))).await;
    let (code, _, errors) = output(&["health", "--url", &other.url]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("answers with status 404; check that"), "{errors}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (code, _, errors) = output(&["health", "--url", &url]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("does not respond within 3 s"), "{errors}");
}

#[tokio::test]
async fn a_url_with_a_password_is_refused_without_showing_it() {
    let url = "http://user:hidden@127.0.0.1:8888";
    for command in ["health", "start", "inspect"] {
        let (code, out, errors) = output(&[command, "--url", url]).await;

        assert_eq!((code, &*out), (2, ""), "{errors}");
        assert!(errors.contains("expected a URL without user and password"), "{errors}");
        assert!(!errors.contains("hidden"), "{errors}");
    }
    let (code, text) = health(&[("HUB_LOCAL_URL", url)]).await;
    assert_eq!(code, 1);
    assert!(text.contains("expected a URL without user and password"), "{text}");
    assert!(!text.contains("hidden"), "{text}");
}

#[tokio::test]
async fn a_port_that_cannot_be_known_and_an_invalid_one_are_errors() {
    let (code, text) = health(&[("HUB_LOCAL_PORT", "0")]).await;
    assert_eq!(code, 1);
    assert!(text.contains("its port is 0; use `--url`"), "{text}");

    let (code, text) = health(&[("HUB_LOCAL_PORT", "x")]).await;
    assert_eq!(code, 1);
    assert!(text.starts_with("error: invalid value 'x' for '--port"), "{text}");
}
