//! Command line, startup output, and a message from a client through service and app.

use crate::{
    app::App,
    client::{self, Client},
    process::{Folder, KEY, Running, command, has_ipv6, output, with_timeout},
};

#[tokio::test]
async fn the_banner_has_the_connection_string_of_the_emulator() {
    let service = Running::start(&[]).await;

    let line = service.out.line("Connection string").await;

    let port = service.port;
    let text = format!("Endpoint=http://localhost;Port={port};AccessKey={KEY};Version=1.0;");
    assert!(line.ends_with(&text), "{line}");
    service.out.line("none: events are not delivered").await;
    service.out.line("File descriptors").await;
}

#[tokio::test]
async fn the_options_and_variables_of_the_emulators_image_are_read() {
    let app = App::named("x").await;
    let mut with_variables = command();
    with_variables
        .env("UpstreamSettings__Templates__0__UrlTemplate", format!("{}/{{hub}}", app.url))
        .env("UpstreamSettings__Templates__0__HubPattern", "chat")
        // As in the image of this project.
        .envs([("HUB_LOCAL_IP", "0.0.0.0"), ("HUB_LOCAL_PUBLIC", "true"), ("HUB_LOCAL_PRT", "1")])
        .args(["-p", "0"]);
    let service = Running::of(with_variables).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("7", "hello").await;
    client.receive().await;

    assert_eq!(app.called("hello").await.line, "POST /chat HTTP/1.1");
    service.log.line("HUB_LOCAL_PRT is not read; did you mean HUB_LOCAL_PORT?").await;
}

#[tokio::test]
async fn the_in_memory_transport_carries_utf_8() {
    let app = App::named("grüße").await;
    let service = Running::start(&["--upstream", &format!("{}/hook?code=a=b", app.url)]).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("7", "größe").await;

    assert_eq!(client.receive().await["result"], "grüße");
    let request = app.called("größe").await;
    assert_eq!(request.line, "POST /hook?code=a=b HTTP/1.1");
    assert_eq!(request.header("X-ASRS-User-Id"), Some("Zoë"));
    assert_eq!(request.header("X-ASRS-Hub"), Some("chat"));
    assert_eq!(request.header("X-ASRS-Client-Query"), Some("?hub=chat"));
    assert_eq!(request.header("Content-Type"), Some("application/json"));
    assert!(request.header("X-ASRS-Signature").unwrap().starts_with("sha256="));
    assert_eq!(app.events(), ["connected", "größe"]);
}

#[tokio::test]
async fn names_are_encoded_into_the_url() {
    let app = App::named("x").await;
    let url = format!("{}/{{hub}}/{{category}}/{{event}}", app.url);
    let service = Running::start(&["-u", &url]).await;
    let mut client = Client::connect(service.port, "chat").await;

    client.invoke("7", "größe/x").await;
    client.receive().await;

    let line = app.called("größe/x").await.line;
    assert_eq!(line, "POST /chat/messages/gr%C3%B6%C3%9Fe%2Fx HTTP/1.1");
}

#[tokio::test]
async fn each_hub_may_have_its_upstream() {
    let (chat, other) = (App::named("chat").await, App::named("other").await);
    let first = format!("chat={}/", chat.url);
    let second = format!("{}/", other.url);
    let service = Running::start(&["--upstream", &first, "--upstream", &second]).await;

    for hub in ["chat", "news"] {
        let mut client = Client::connect(service.port, hub).await;
        client.invoke("7", "m").await;
        let expected = if hub == "chat" { "chat" } else { "other" };
        assert_eq!(client.receive().await["result"], expected);
    }
}

#[tokio::test]
async fn a_custom_key_is_used_and_not_printed() {
    let service = Running::start(&["--key", "my-own-key", "--secondary-key", "second-key"]).await;

    assert!(Client::try_connect(service.port, "chat", "my-own-key").await.is_ok());
    assert!(Client::try_connect(service.port, "chat", "second-key").await.is_ok());
    assert_eq!(Client::try_connect(service.port, "chat", KEY).await.err(), Some(401));
    assert!(service.out.text().contains("AccessKey=<your key>"));
    let printed = service.out.text() + &service.log.text();
    assert!(!printed.contains("my-own-key") && !printed.contains("second-key"), "{printed}");
}

#[tokio::test]
async fn localhost_is_served_over_ipv4_and_ipv6() {
    let service = Running::start(&[]).await;

    assert_eq!(client::status(service.port, "GET", "/api/health").await, 200);
    if has_ipv6("a service on localhost listens on IPv6") {
        let connected = tokio::net::TcpStream::connect(("::1", service.port)).await;
        assert!(connected.is_ok());
    }
}

/// An IPv6 socket of another program, whose port is free on IPv4.
fn other_program() -> (std::net::TcpListener, u16) {
    loop {
        let other = std::net::TcpListener::bind(("::1", 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return (other, port);
        }
    }
}

#[tokio::test]
async fn another_program_on_the_ipv6_address_is_a_warning() {
    if !has_ipv6("the warning about another program on the IPv6 address") {
        return;
    }
    let (_other, port) = other_program();
    let mut start = command();
    start.args(["start", "--port", &port.to_string()]);

    let service = Running::of(start).await;

    let line = service.log.line(&format!("another program listens on [::1]:{port}")).await;
    assert!(line.contains("WARN") && line.contains("`127.0.0.1`"), "{line}");
}

#[tokio::test]
async fn the_error_of_an_upstream_shows_no_secret() {
    for option in ["--upstream=ftp://h/?code=hidden", "--upstream=http://user:hidden@h/"] {
        let (code, _, errors) = output(&["start", option]).await;

        assert_eq!(code, 2);
        assert!(errors.contains("'--upstream <[HUB=]URL>': the upstream "), "{errors}");
        assert!(!errors.contains("hidden"), "{errors}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_a_failure_with_advice() {
    let service = Running::start(&[]).await;

    let (code, _, errors) = output(&["start", "--port", &service.port.to_string()]).await;

    assert_eq!(code, 1);
    assert!(errors.contains("cannot listen on 127.0.0.1"), "{errors}");
    assert!(errors.contains("Use `--port` for another port"), "{errors}");
}

#[tokio::test]
async fn wrong_command_lines_are_usage_errors() {
    for (line, part) in [
        (&["start", "--prot", "1"][..], "--port"),
        (&["start", "--port", "99999"], "99999"),
        (&["start", "--upstream", "localhost:7071"], "must be an absolute URL"),
        (&["start", "--upstream", "http://169.254.169.254/"], "link-local"),
        (&["start", "--ip", "0.0.0.0"], "add `--public`"),
        (&["start", "--key", ""], "is empty"),
        (&["start", "--log", "loud"], "use one of off, error"),
        (&["start", "--max-message", "big"], "expected a size in bytes, KiB or MiB"),
        (&["serve"], "unrecognized subcommand"),
    ] {
        let (code, out, errors) = output(line).await;

        assert_eq!(code, 2, "{line:?}: {errors}");
        assert!(errors.contains(part), "{line:?}: {errors}");
        assert_eq!(out, "", "{line:?}");
    }
}

#[tokio::test]
async fn an_error_shows_the_usage_of_its_command() {
    for (line, usage) in [
        (&["start", "--key", ""][..], "Usage: hub-local start [OPTIONS]\n"),
        (&["--key", ""], "Usage: hub-local start [OPTIONS]\n"),
        (&["inspect"], "Usage: hub-local inspect [OPTIONS]\n"),
        (&["new", "test"], "Usage: hub-local new [OPTIONS] <FOLDER>\n"),
    ] {
        let (code, _, errors) = output(line).await;

        assert_eq!(code, 2, "{line:?}: {errors}");
        assert!(errors.contains(usage), "{line:?}: {errors}");
    }
}

#[tokio::test]
async fn help_and_version_are_no_errors() {
    let (code, out, _) = output(&["--help"]).await;
    assert_eq!(code, 0);
    for word in ["start", "upstream", "load", "Exit codes"] {
        assert!(out.contains(word), "{out}");
    }
    let (code, out, _) = output(&["start", "--help"]).await;
    assert_eq!(code, 0);
    for word in ["--config", "--public", "--strict", "--stop-within", "HUB_LOCAL_KEY", "64KiB"] {
        assert!(out.contains(word), "{out}");
    }
    let (code, out, _) = output(&["--version"]).await;
    assert_eq!((code, out.trim()), (0, concat!("hub-local ", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_a_failure_with_file_and_line() {
    let folder = Folder::new("broken");
    folder.write_settings("{\n \"UpstreamSettings\": { \"Templates\": [\n {} ] } }");

    let (code, _, errors) = output(&["start", "--port", "0", "-c", folder.text()]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("settings.json:3:"), "{errors}");
    assert!(errors.contains("a template requires a `UrlTemplate`"), "{errors}");

    let (code, _, errors) = output(&["start", "--port", "0", "-c", "/not/there"]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("/not/there: cannot read the settings"), "{errors}");
}

#[tokio::test]
async fn a_key_may_come_from_the_environment() {
    let mut command = command();
    command.args(["start", "--port", "0"]).env("HUB_LOCAL_KEY", "");

    let done = with_timeout("the end", command.output()).await.unwrap();

    assert_eq!(done.status.code(), Some(2));
    let errors = String::from_utf8(done.stderr).unwrap();
    assert!(errors.contains("(or HUB_LOCAL_KEY) is empty"), "{errors}");
}
