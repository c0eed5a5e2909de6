//! Apps that break the protocol.

use test_support::{free_address, user_token};

use super::*;

const OK: &[u8] =
    b"HTTP/1.1 200 OK\r\nconnection: upgrade\r\nupgrade: hub-calls\r\ncontent-length: 0\r\n\r\n";
const SWITCHED: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: hub-calls\r\n\r\n";
const PING: &[u8] = b"\x00\x00\x00\x05\x07\x00\x00\x00\x00";
const PONG: &[u8] = b"\x00\x00\x00\x05\x08\x00\x00\x00\x00";

/// What an app does after it has accepted the upgrade.
#[derive(Clone, Copy, PartialEq)]
enum Breaks {
    /// It closes the connection.
    AtOnce,
    /// It answers the ping, and closes the connection when the first call arrives.
    AtTheFirstCall,
    /// It answers the ping, and then sends bytes that are no frames.
    WithInvalidFrames,
}

/// What happened in twenty rounds of calls.
struct Outcome {
    failed: usize,
    sent: usize,
    upgrades: usize,
}

const ROUNDS: usize = 20;

async fn accept_upgrade(stream: &mut TcpStream, breaks: Breaks) {
    stream.write_all(SWITCHED).await.unwrap();
    if breaks == Breaks::AtOnce {
        return;
    }
    let mut ping = [0; 9];
    let Ok(_) = stream.read_exact(&mut ping).await else { return };
    assert_eq!(ping, PING);
    stream.write_all(PONG).await.unwrap();
    let Ok(_) = stream.read_u8().await else { return };
    if breaks == Breaks::WithInvalidFrames {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

/// Answers the requests of a connection.
async fn answer_requests(
    mut stream: TcpStream,
    breaks: Breaks,
    posts: &AtomicUsize,
    upgrades: &AtomicUsize,
) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let head = String::from_utf8(head).unwrap();
        if head.starts_with("GET ") {
            upgrades.fetch_add(1, Ordering::SeqCst);
            return accept_upgrade(&mut stream, breaks).await;
        }
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        posts.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(OK).await.unwrap();
    }
}

/// Lets clients call an app that accepts the upgrade and then breaks the connection.
async fn call_an_app_that_breaks(breaks: Breaks) -> Outcome {
    let address = free_address().await;
    let listener = TcpListener::bind(address).await.unwrap();
    let (posts, upgrades) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (counted, asked) = (Arc::clone(&posts), Arc::clone(&upgrades));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut links = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (posts, upgrades) = (Arc::clone(&counted), Arc::clone(&asked));
            links.spawn(async move { answer_requests(stream, breaks, &posts, &upgrades).await });
        }
    });
    let upstream = HttpUpstream::new(format!("http://{address}/")).unwrap();
    let service = LocalService::builder().key(KEY).upstream(upstream).build();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (user, url) = (format!("user{number}"), "http://127.0.0.1:8888/client/?hub=meet");
        let token = user_token(KEY, url, &user);
        let mut client = Client::in_memory(service.connect_memory(url, &token).unwrap());
        client.handshake().await;
        clients.push(client);
    }

    let before = posts.load(Ordering::SeqCst);
    let mut failed = 0;
    for _ in 0..ROUNDS {
        let calls = clients.iter_mut().map(|client| client.invoke("m", json!([])));
        for completion in within("all end", join_all(calls)).await {
            if let Some(error) = completion["error"].as_str() {
                assert_eq!(error, "Invocation failed, status code 500");
                failed += 1;
            }
        }
    }
    let sent = posts.load(Ordering::SeqCst) - before;
    Outcome { failed, sent, upgrades: upgrades.load(Ordering::SeqCst) }
}

#[tokio::test]
async fn calls_of_a_connection_that_breaks_fail_once_and_later_ones_are_requests() {
    for breaks in [Breaks::AtTheFirstCall, Breaks::WithInvalidFrames] {
        let Outcome { failed, sent, upgrades } = call_an_app_that_breaks(breaks).await;

        assert!((1..=CLIENTS).contains(&failed), "{failed}");
        assert_eq!(upgrades, 1, "offers are ignored for some time");
        // The `connected` events of the clients may be counted, too.
        let requests = ROUNDS * CLIENTS - failed;
        assert!((requests..=requests + CLIENTS).contains(&sent), "{sent}");
    }
}

/// As a proxy that passes the switch on, and then ends the connection.
#[tokio::test]
async fn an_app_that_accepts_the_upgrade_and_closes_costs_no_call() {
    let Outcome { failed, sent, upgrades } = call_an_app_that_breaks(Breaks::AtOnce).await;

    assert_eq!((failed, upgrades), (0, 1));
    assert!((ROUNDS * CLIENTS..=(ROUNDS + 1) * CLIENTS).contains(&sent), "{sent}");
}
