//! The `Host` of requests, over sockets: names that a page pointed to this machine (DNS rebinding), and requests
//! without a valid host (RFC 9112 §3.2).

use std::net::SocketAddr;

use hub_local::{Limits, LocalService, LocalServiceBuilder};
use tokio::net::TcpListener;

use super::{Raw, Served};
use crate::support::{App, KEY, URL, user_token};

const OWN_KEY: &str = "a key that is not public, 32 bytes";
const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Serves on an address, and returns the address for clients on this machine.
async fn serve(builder: LocalServiceBuilder, address: &str) -> (LocalService, SocketAddr) {
    test_support::output::record();
    let service = builder.upstream(App::silent()).build();
    let listener = TcpListener::bind(address).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(service.serve(listener));
    (service, ([127, 0, 0, 1], port).into())
}

/// Sends bytes on a new socket, and returns the response.
async fn exchange(address: SocketAddr, head: &str) -> String {
    let bytes = test_support::http_client::exchange(address, head.as_bytes()).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The response to `GET path` with these header lines.
async fn get(address: SocketAddr, path: &str, lines: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.1\r\n{lines}connection: close\r\n\r\n")).await
}

fn is_refused(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 403 Forbidden\r\n")
        && answer.contains("HUB_LOCAL_HOSTS=evil.example")
}

#[tokio::test]
async fn on_loopback_a_rebound_name_is_refused_on_every_route_whatever_the_key() {
    for key in [OWN_KEY, KEY] {
        let (_service, address) = serve(LocalService::builder().key(key), "127.0.0.1:0").await;
        let host = format!("host: evil.example:{}\r\n", address.port());
        let token = user_token(key, &format!("{URL}/client/?hub=chat"), "ada");

        for path in ["/", "/api/health", "/api/hubs/chat/:send", "/client/?hub=chat"] {
            assert!(is_refused(&get(address, path, &host).await), "{path}");
        }
        let client = format!("/client/?hub=chat&access_token={token}");
        let same_origin =
            format!("{host}origin: http://evil.example:{}\r\n{UPGRADE}", address.port());
        for lines in [&format!("{host}{UPGRADE}"), &same_origin] {
            let answer = get(address, &client, lines).await;
            assert!(is_refused(&answer), "{answer}");
        }
        // The target precedes the header (RFC 9112, section 3.2.2).
        let answer = get(address, "http://evil.example/api/health", "host: localhost\r\n").await;
        assert!(is_refused(&answer), "{answer}");
        let answer = get(address, "http://localhost/api/health", "host: evil.example\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn hosts_of_this_machine_of_compose_and_of_settings_are_served() {
    let builder = LocalService::builder().key(OWN_KEY).public_url("https://live.example:8443");
    let builder = builder.allow_host("proxied.example").allow_host("*.tunnel.example");
    let (_service, address) = serve(builder, "127.0.0.1:0").await;

    for host in [
        "127.0.0.1:8888",
        "localhost:1",
        "[::1]:8888",
        "chat.localhost",
        "signalr:8888",
        "host.docker.internal:8888",
        "192.168.0.7",
        "live.example",
        "LIVE.example:443",
        "proxied.example",
        "a.tunnel.example",
    ] {
        let answer = get(address, "/api/health", &format!("host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{host}: {answer}");
    }
}

#[tokio::test]
async fn beyond_loopback_the_host_matters_only_with_the_well_known_key() {
    let (_own, own) = serve(LocalService::builder().key(OWN_KEY), "0.0.0.0:0").await;
    let well_known = LocalService::builder().key(KEY).public(true);
    let (_well_known, well_known) = serve(well_known, "0.0.0.0:0").await;

    let answer = get(own, "/api/health", "host: evil.example\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(is_refused(&get(well_known, "/api/health", "host: evil.example\r\n").await));
}

#[tokio::test]
async fn a_request_without_a_valid_host_is_refused() {
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let (_service, address) = serve(LocalService::builder().key(OWN_KEY), address).await;

        for lines in [
            "",
            "host: localhost\r\nhost: localhost\r\n",
            "host: a b\r\n",
            "host:\r\n",
            "host: localhost/\r\n",
            "host: user@localhost\r\n",
            "host: localhost:x\r\n",
            "host: localhost, localhost\r\n",
            "host: \u{fc}\r\n",
            "host: [::1\r\n",
        ] {
            for path in ["/api/health", "/client/?hub=chat", "http://localhost/api/health"] {
                let answer = get(address, path, lines).await;
                assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{lines}: {answer}");
            }
        }
        // HTTP/1.0 has no such header.
        let old = exchange(address, "GET /api/health HTTP/1.0\r\n\r\n").await;
        assert!(old.starts_with("HTTP/1.0 200 OK\r\n"), "{old}");
        let served = get(address, "/api/health", "host: localhost\r\n").await;
        assert!(served.starts_with("HTTP/1.1 200 OK\r\n"), "{served}");
    }
}

#[tokio::test]
async fn a_web_socket_over_http_1_0_is_refused_with_the_fix() {
    let served = Served::new(Limits::default()).await;
    let token = crate::support::client_token("ada");
    let mut socket: Raw = served.connect().await;
    let head = format!(
        "GET /client/?hub=chat&access_token={token} HTTP/1.0\r\nhost: localhost\r\n{UPGRADE}\r\n"
    );
    socket.write(head.as_bytes()).await;

    let answer = socket.rest().await;

    assert!(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("proxy_http_version 1.1"), "{answer}");
}

#[tokio::test]
async fn keys_that_can_be_guessed_are_not_served_beyond_loopback() {
    let beyond = || TcpListener::bind("0.0.0.0:0");
    let error = async |builder: LocalServiceBuilder, listener| {
        builder.build().serve(listener).await.unwrap_err().to_string()
    };

    let short = LocalService::builder().key("0123456789abcde").public(true);
    assert!(error(short, beyond().await.unwrap()).await.contains("fewer than 16 bytes"));
    let second = LocalService::builder().key(OWN_KEY).secondary_key("a");
    assert!(error(second, beyond().await.unwrap()).await.contains("fewer than 16 bytes"));
    let well_known = LocalService::builder().key(KEY);
    assert!(error(well_known, beyond().await.unwrap()).await.contains("well-known key"));
    // A URL that is set later makes the service public, too.
    for (key, problem) in [("0123456789abcde", "fewer than 16 bytes"), (KEY, "well-known key")] {
        let service = LocalService::builder().key(key).build();
        let refused = service.set_public_url("https://live.example").unwrap_err().to_string();
        assert!(refused.contains(problem), "{refused}");
        assert_eq!(service.public_url(), "http://127.0.0.1:8888");
        assert!(service.set_public_url("http://localhost:80").is_ok());
    }
    let own = LocalService::builder().key(OWN_KEY).build();
    assert!(own.set_public_url("https://live.example").is_ok());
    assert!(
        own.set_public_url("live.example")
            .unwrap_err()
            .to_string()
            .contains("is not the URL of a host")
    );
    // A proxy makes the service public.
    let proxied = LocalService::builder().key(KEY).public_url("https://live.example");
    let loopback = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(error(proxied, loopback).await.contains("well-known key"));
}
