//! The `Host` of requests to the app: names that a page pointed to this machine (DNS rebinding), and requests
//! without a valid host (RFC 9112 §3.2). Over the app's own server.

use std::{net::SocketAddr, time::Duration};

use hub_runtime::{HubAppBuilder, config::Settings, negotiate::NegotiateLimit, prelude::*};
use test_support::{http_client::exchange, serve};

use crate::support::{SIGNATURE, builder_at};

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn nothing(&self) {}
}

/// A builder of an app that embeds the service.
fn embedding(settings: &[(&str, &str)]) -> HubAppBuilder {
    let port = ("HUB_LOCAL_PORT", "0");
    let settings: Settings = settings.iter().copied().chain([port]).collect();
    let signalr = SignalR::from_settings_or_local(settings).unwrap();
    HubApp::builder().signalr(signalr).hub(Loop)
}

/// The response to a request with these header lines.
async fn ask(address: SocketAddr, line: &str, lines: &str) -> String {
    let head = format!("{line} HTTP/1.1\r\n{lines}content-length: 0\r\nconnection: close\r\n\r\n");
    String::from_utf8(exchange(address, head.as_bytes()).await.unwrap()).unwrap()
}

fn is_refused(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 403 Forbidden\r\n")
        && answer.contains("HUB_LOCAL_HOSTS=evil.example")
}

const ROUTES: [&str; 5] = [
    "GET /health",
    "POST /loop/negotiate",
    "OPTIONS /loop/negotiate",
    "POST /runtime/webhooks/signalr",
    "GET /nothing",
];

#[tokio::test]
async fn an_app_with_the_embedded_service_refuses_a_rebound_name_on_every_route() {
    let app = embedding(&[]).build().unwrap();
    let (address, _serving) = serve(&app).await;

    for line in ROUTES {
        let answer = ask(address, line, "host: evil.example:7071\r\n").await;
        assert!(is_refused(&answer), "{line}: {answer}");
    }
    let answer = ask(address, "GET http://evil.example/health", "host: localhost\r\n").await;
    assert!(is_refused(&answer), "{answer}");
    for host in ["127.0.0.1:7071", "localhost", "chat.localhost", "[::1]:7071", "app"] {
        let answer = ask(address, "POST /loop/negotiate", &format!("host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    let service: SocketAddr = app.client_url().trim_start_matches("http://").parse().unwrap();
    assert!(is_refused(&ask(service, "GET /api/health", "host: evil.example\r\n").await));
}

#[tokio::test]
async fn configured_hosts_reach_the_app_and_its_service() {
    let settings = [
        ("HUB_LOCAL_HOSTS", "proxied.example, *.tunnel.example"),
        ("HUB_LOCAL_URL", "https://live.example"),
    ];
    let app = embedding(&settings).allow_host("built.example").build().unwrap();
    let (address, _serving) = serve(&app).await;

    for host in ["proxied.example", "a.tunnel.example", "live.example", "built.example"] {
        let answer = ask(address, "GET /health", &format!("host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    assert!(is_refused(&ask(address, "GET /health", "host: evil.example\r\n").await));
}

#[tokio::test]
async fn apps_that_others_protect_do_not_check_the_host() {
    let proxies = NegotiateLimit::new(100, Duration::from_secs(1)).behind_proxies(1);
    for builder in [builder_at("http://127.0.0.1:1", Loop), embedding(&[]).negotiate_limit(proxies)]
    {
        let (address, _serving) = serve(&builder.build().unwrap()).await;
        let answer = ask(address, "POST /loop/negotiate", "host: evil.example\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_signed_upstream_call_may_name_any_host() {
    let (address, _serving) = serve(&embedding(&[]).build().unwrap()).await;
    let lines = format!(
        "host: tunnel.example\r\nX-ASRS-Connection-Id: conn-0001\r\nX-ASRS-Hub: loop\r\nX-ASRS-Signature: {SIGNATURE}\r\n"
    );

    // The key of the service is random, so the signature is not genuine; but it is checked.
    let answer = ask(address, "POST /runtime/webhooks/signalr", &lines).await;

    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn a_request_without_a_valid_host_is_refused() {
    for builder in [builder_at("http://127.0.0.1:1", Loop), embedding(&[])] {
        let (address, _serving) = serve(&builder.build().unwrap()).await;
        for line in ROUTES {
            for lines in ["", "host: x\r\nhost: x\r\n", "host: a b\r\n", "host:\r\n"] {
                let answer = ask(address, line, lines).await;
                assert!(
                    answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
                    "{line} {lines}: {answer}"
                );
                assert!(answer.contains("RFC 9112"), "{answer}");
            }
        }
        let old = exchange(address, b"GET /health HTTP/1.0\r\n\r\n").await.unwrap();
        assert!(old.starts_with(b"HTTP/1.0 200"));
    }
}

#[tokio::test]
async fn a_host_that_is_no_name_keeps_the_app_from_starting() {
    let error = embedding(&[]).allow_host("https://app.example").build().unwrap_err().to_string();
    assert!(error.contains("`https://app.example` is not a host name"), "{error}");

    let settings: Settings = [("HUB_LOCAL_HOSTS", "app.example:80")].into_iter().collect();
    let error = SignalR::from_settings_or_local(settings).unwrap_err().to_string();
    assert!(error.contains("HUB_LOCAL_HOSTS is not a list of hosts"), "{error}");
}
