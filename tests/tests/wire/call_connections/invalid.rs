//! Apps that break the protocol.

use test_support::{free_address, user_token};

use super::*;

/// An app that leads the service to its connection, and then breaks the protocol.
#[tokio::test]
async fn calls_of_a_connection_with_invalid_frames_fail_once_and_later_ones_are_requests() {
    let address = free_address().await;
    let listener = TcpListener::bind(address).await.unwrap();
    let (posts, upgrades) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (counted, asked) = (Arc::clone(&posts), Arc::clone(&upgrades));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut links = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let (posts, upgrades) = (Arc::clone(&counted), Arc::clone(&asked));
            links.spawn(async move {
                loop {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8(head).unwrap();
                    if head.starts_with("GET ") {
                        upgrades.fetch_add(1, Ordering::SeqCst);
                        let switched = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: hub-calls\r\n\r\n";
                        stream.write_all(switched).await.unwrap();
                        let Ok(_) = stream.read_u8().await else { return };
                        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                        return;
                    }
                    let length = head.split("content-length: ").nth(1).unwrap();
                    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).await.unwrap();
                    posts.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let response = b"HTTP/1.1 200 OK\r\nconnection: upgrade\r\nupgrade: hub-calls\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(response).await.unwrap();
                }
            });
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
    let (mut failed, mut rounds) = (0, 0);
    while rounds < 20 {
        let calls = clients.iter_mut().map(|client| client.invoke("m", json!([])));
        for completion in within("all end", join_all(calls)).await {
            if let Some(error) = completion["error"].as_str() {
                assert_eq!(error, "Invocation failed, status code 500");
                failed += 1;
            }
        }
        rounds += 1;
    }

    assert!((1..=CLIENTS).contains(&failed), "{failed}");
    assert_eq!(upgrades.load(Ordering::SeqCst), 1, "offers are ignored for some time");
    let connected = CLIENTS;
    let sent = posts.load(Ordering::SeqCst) - before;
    assert!(sent >= rounds * CLIENTS - failed && sent <= rounds * CLIENTS - failed + connected);
}
