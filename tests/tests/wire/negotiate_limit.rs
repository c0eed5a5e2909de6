//! The limit on the number of negotiate requests of a client.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hub_runtime::{
    BuildProblem, HubApp,
    negotiate::{ClientAddress, NegotiateLimit},
    prelude::*,
};
use tokio::time::advance;

use crate::support::{AppResponse, answer, builder_at};

struct Loop;

#[serverless_hub]
impl Loop {
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }
}

fn limited(limit: NegotiateLimit) -> HubApp {
    let builder = builder_at("http://127.0.0.1:1", Loop).negotiate_limit(limit);
    builder.allow_origins(["https://app.example", "https://admin.example"]).build().unwrap()
}

fn twice_a_minute() -> NegotiateLimit {
    NegotiateLimit::new(2, Duration::from_mins(1))
}

async fn from(app: &HubApp, peer: &str, forwarded: &str) -> AppResponse {
    let mut request = Request::post("/loop/negotiate")
        .header("origin", "https://admin.example")
        .body(Empty::<Bytes>::new())
        .unwrap();
    if !forwarded.is_empty() {
        request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
    }
    if let Ok(peer) = peer.parse::<IpAddr>() {
        request.extensions_mut().insert(ClientAddress(peer));
    }
    answer(app, request).await
}

#[tokio::test(start_paused = true)]
async fn a_client_above_the_limit_gets_429_until_retry_after() {
    let app = limited(twice_a_minute());
    for _ in 0..2 {
        assert_eq!(from(&app, "10.0.0.1", "").await.status, StatusCode::OK);
    }

    let refused = from(&app, "10.0.0.1", "").await;

    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers["retry-after"], "30");
    assert_eq!(refused.body, "Too many attempts to connect; try again later");
    // The page may read the whole response, including `Retry-After`.
    assert_eq!(refused.headers["access-control-allow-origin"], "https://admin.example");
    assert_eq!(refused.headers["access-control-allow-credentials"], "true");
    assert_eq!(refused.headers["access-control-expose-headers"], "Retry-After");
    assert_eq!(from(&app, "10.0.0.2", "").await.status, StatusCode::OK);
    advance(Duration::from_secs(30)).await;
    assert_eq!(from(&app, "10.0.0.1", "").await.status, StatusCode::OK);
    assert_eq!(from(&app, "10.0.0.1", "").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn a_client_cannot_avoid_the_limit_with_a_forged_header() {
    let app = limited(twice_a_minute());
    let behind_one = limited(twice_a_minute().behind_proxies(1));
    let mut last = Vec::new();

    for attempt in ["1.1.1.1", "2.2.2.2", "3.3.3.3"] {
        let direct = from(&app, "10.0.0.1", attempt).await;
        // The proxy appends the address that it saw to the value that the client sent.
        let proxied = from(&behind_one, "10.0.0.9", &format!("{attempt}, 6.6.6.6")).await;
        last = vec![direct.status, proxied.status];
    }

    assert_eq!(last, [StatusCode::TOO_MANY_REQUESTS; 2]);
    assert_eq!(from(&behind_one, "10.0.0.9", "7.7.7.7").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_client_address_share_one_limit() {
    let app = limited(twice_a_minute());

    assert_eq!(from(&app, "", "").await.status, StatusCode::OK);
    assert_eq!(from(&app, "", "").await.status, StatusCode::OK);
    assert_eq!(from(&app, "", "").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn preflights_are_not_counted() {
    let app = limited(twice_a_minute());
    let preflight = || {
        let request = Request::options("/loop/negotiate").header("origin", "https://app.example");
        request.body(Empty::<Bytes>::new()).unwrap()
    };

    for _ in 0..5 {
        assert_eq!(answer(&app, preflight()).await.status, StatusCode::NO_CONTENT);
    }

    assert_eq!(from(&app, "", "").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_limit_with_an_endless_period_works() {
    let app = limited(NegotiateLimit::new(1, Duration::MAX));
    assert_eq!(from(&app, "10.0.0.1", "").await.status, StatusCode::OK);

    let refused = from(&app, "10.0.0.1", "").await;

    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers["retry-after"], u64::MAX.to_string());
}

#[tokio::test]
async fn a_limit_of_zero_is_refused_at_start() {
    for limit in
        [NegotiateLimit::new(0, Duration::from_secs(1)), NegotiateLimit::new(1, Duration::ZERO)]
    {
        let built = builder_at("http://127.0.0.1:1", Loop).negotiate_limit(limit).build();

        assert_eq!(built.unwrap_err().problems(), [BuildProblem::InvalidNegotiateLimit]);
    }
}

/// Sends requests over sockets, because the app's own server provides the address of a client. Only
/// Linux has more than one loopback address.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_server_of_the_app_distinguishes_clients_by_socket_address() {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpSocket,
    };

    let app = limited(NegotiateLimit::new(1, Duration::from_hours(1)));
    let (address, _serving) = test_support::serve(&app).await;
    let status_from = async |local: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{local}:0").parse().unwrap()).unwrap();
        let stream = socket.connect(address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let request = "POST /loop/negotiate HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        write.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        read.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };

    assert_eq!(status_from("127.0.0.1").await, "200");
    assert_eq!(status_from("127.0.0.1").await, "429");
    assert_eq!(status_from("127.0.0.2").await, "200");
}

struct Full;

#[serverless_hub]
impl Full {
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Err(HubError::throttled(Duration::from_millis(1500)))
    }
}

#[tokio::test]
async fn a_negotiate_that_throttles_its_caller_sends_retry_after() {
    let app = builder_at("http://127.0.0.1:1", Full).build().unwrap();
    let request = Request::post("/full/negotiate").body(Empty::<Bytes>::new()).unwrap();

    let refused = answer(&app, request).await;

    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers["retry-after"], "2");
    assert_eq!(refused.headers["access-control-expose-headers"], "Retry-After");
}
