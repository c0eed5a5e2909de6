//! Many connections, and very slow ones: silent sockets, request heads sent byte by byte, and WebSockets
//! without a handshake. The service keeps serving good clients.

use std::time::Duration;

use hub_local::Limits;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{PATIENCE, Raw, Served, slow_reader};
use crate::support::{URL, eventually, signed, unix_now};

/// The timeout for slow peers. Good peers must finish within it, even on a busy machine.
const SHORT: Duration = Duration::from_secs(1);
const HANDSHAKE: &[u8] = b"{\"protocol\":\"json\",\"version\":1}\x1e";

/// Checks that a client can connect, complete its handshake and leave. Its token sets a handshake timeout of
/// 30 s, whatever the limit of the service.
async fn good_client_is_served(served: &Served) {
    let claims = serde_json::json!({
        "aud": format!("{URL}/client/?hub=chat"), "exp": unix_now() + 60, "asrs.s.cht": 30
    });
    let mut client = slow_reader::web_socket_with(served, &signed(&claims)).await;
    client.write(&slow_reader::text(HANDSHAKE)).await;
    let mut answer = [0; 5];
    let reading = tokio::io::AsyncReadExt::read_exact(&mut client.0, &mut answer);
    tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
    assert_eq!(&answer, b"\x81\x03{}\x1e");
}

#[tokio::test]
async fn a_socket_without_a_request_is_closed_after_the_timeout() {
    let served = Served::new(Limits::default().request_head_timeout(SHORT)).await;
    let began = Instant::now();

    assert_eq!(served.connect().await.rest().await, "");

    assert!(began.elapsed() >= SHORT);
    served.is_calm().await;
}

#[tokio::test]
async fn an_idle_keep_alive_socket_is_closed() {
    let served = Served::new(Limits::default().request_head_timeout(SHORT)).await;
    let mut socket = served.connect().await;

    socket.write(b"GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n").await;

    assert!(socket.rest().await.starts_with("HTTP/1.1 200"));
    served.is_calm().await;
}

#[tokio::test]
async fn a_slow_request_head_times_out() {
    let served = Served::new(Limits::default().request_head_timeout(SHORT)).await;
    let socket = served.connect().await;
    let (mut read, mut write) = socket.0.into_split();
    let writing = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let _ = write.write_all(b"POST /client/negotiate?hub=chat HTTP/1.1\r\n").await;
        loop {
            // The peer sends bytes all the time and never completes the head.
            if write.write_all(b"x").await.is_err() {
                return;
            }
            sleep(SHORT / 10).await;
        }
    });

    let mut answer = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer);
    let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the socket is closed");
    tokio::time::timeout(PATIENCE, writing).await.unwrap().unwrap();

    assert_eq!(answer, b"");
    served.serves().await;
    served.is_calm().await;
}

#[tokio::test]
async fn above_the_idle_socket_limit_the_oldest_are_closed() {
    let request_head = Duration::from_hours(1);
    // If twice as many sockets are idle, the service closes the excess immediately.
    let limits = Limits::default().max_idle_sockets(50).request_head_timeout(request_head);
    let served = Served::new(limits).await;
    let mut sockets: Vec<Raw> = Vec::new();
    for number in 0..300 {
        let mut socket = served.connect().await;
        if number % 2 == 0 {
            socket.write(b"GET / HTTP/1.1\r\nx: ").await;
        }
        sockets.push(socket);
        if number % 50 == 0 {
            good_client_is_served(&served).await;
        }
    }
    good_client_is_served(&served).await;
    served.serves().await;

    // The oldest sockets are closed long before the timeout. The service still serves the youngest ones.
    for socket in &mut sockets[..190] {
        socket.rest().await;
    }
    let mut last = sockets.pop().unwrap();
    last.write(b"GET /api/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(last.rest().await.starts_with("HTTP/1.1 200"));
    drop(sockets);
    served.is_calm().await;
}

#[tokio::test]
async fn idle_sockets_are_counted_across_listeners() {
    let request_head = Duration::from_hours(1);
    let served =
        Served::new(Limits::default().max_idle_sockets(1).request_head_timeout(request_head)).await;
    let address = test_support::serve_on_loopback(&served.fixture.service).await;

    // Three sockets exceed twice the limit, although no listener has more than two of them.
    let (mut one, mut two) = (served.connect().await, served.connect().await);
    let mut other = Raw(TcpStream::connect(address).await.unwrap());

    // The service closes the socket that it accepted first, which may be any of the three.
    tokio::select! {
        _ = one.rest() => {}
        _ = two.rest() => {}
        _ = other.rest() => {}
    }
}

#[tokio::test]
async fn sockets_that_sent_a_request_do_not_count_as_idle() {
    let request_head = Duration::from_hours(1);
    let served =
        Served::new(Limits::default().max_idle_sockets(5).request_head_timeout(request_head)).await;
    let mut kept = served.connect().await;
    kept.write(b"GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut start = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut kept.0, &mut start).await.unwrap();
    let client = slow_reader::web_socket(&served).await;

    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(served.connect().await);
    }
    silent[0].rest().await;

    kept.write(b"GET /api/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(kept.rest().await.matches("HTTP/1.1 200").count(), 1);
    drop((client, silent));
    served.is_calm().await;
}

#[tokio::test]
async fn a_flood_of_web_sockets_without_a_handshake_times_out_and_blocks_no_client() {
    let handshake = Duration::from_millis(300);
    let close = Duration::from_millis(100);
    let limits = Limits::default().handshake_timeout(handshake).close_timeout(close);
    let served = Served::new(limits).await;
    let mut sockets = Vec::new();
    for _ in 0..200 {
        sockets.push(slow_reader::web_socket(&served).await);
    }

    good_client_is_served(&served).await;
    for socket in &mut sockets {
        assert!(socket.rest().await.contains("Handshake was canceled."));
    }

    eventually(|| served.fixture.app.events().contains(&"disconnected".to_owned())).await;
    assert_eq!(served.fixture.app.events(), ["connected", "disconnected"], "the good one's");
    served.is_calm().await;
}

#[tokio::test]
async fn a_flood_of_negotiations_leaves_no_resources() {
    let limits = Limits::default().connect_timeout(SHORT).max_pending_negotiations(20);
    let served = Served::new(limits).await;
    let token = crate::support::client_token("ada");
    let head = format!(
        "POST /client/negotiate?hub=chat&negotiateVersion=1 HTTP/1.1\r\nauthorization: Bearer {token}"
    );
    for _ in 0..200 {
        assert!(served.ask(&head).await.starts_with("HTTP/1.1 200"));
    }
    good_client_is_served(&served).await;
    served.is_calm().await;
}
