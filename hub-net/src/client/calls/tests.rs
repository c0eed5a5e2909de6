//! When connections are opened and replaced.

#[cfg(feature = "server")]
use http::Response;
#[cfg(feature = "server")]
use tokio::net::TcpListener;
#[cfg(feature = "server")]
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
#[cfg(feature = "server")]
use crate::calls::server::serve;

#[test]
fn only_a_switch_to_the_protocol_accepts_the_upgrade() {
    let head =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: hub-calls\r\n\r\n";
    for length in 0..head.len() {
        assert_eq!(switched(&head.as_bytes()[..length]).unwrap(), None, "{length}");
    }
    let followed = format!("{head}more");
    assert_eq!(switched(followed.as_bytes()).unwrap(), Some(head.len()));
    for other in [
        "HTTP/1.1 200 OK\r\nUpgrade: hub-calls\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "220 mail.example ESMTP\r\n",
    ] {
        assert!(switched(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn one_connection_leads_to_this_machine_and_four_to_others() {
    let calls = Calls::default();
    let first = calls.add().unwrap();
    assert!(calls.add().is_none(), "one is opened after the other");
    calls.opened(&first, false);
    for _ in 1..CONNECTIONS {
        calls.opened(&calls.add().unwrap(), false);
    }
    assert!(calls.add().is_none());

    let local = Calls::default();
    local.opened(&local.add().unwrap(), true);
    assert!(local.add().is_none());
    local.remove(&Arc::default());
    assert!(local.any());
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_offers_are_ignored_for_half_a_minute() {
    let calls = Calls::default();
    let refused = calls.add().unwrap();

    calls.refused(PAUSE);
    calls.remove(&refused);

    assert!(calls.add().is_none());
    tokio::time::advance(PAUSE).await;
    assert!(calls.add().is_some());
}

#[cfg(feature = "server")]
#[tokio::test(start_paused = true)]
async fn after_a_minute_a_connection_is_replaced_and_ends_after_its_last_call() {
    let (calls, old) = {
        let calls = Calls::default();
        let old = calls.add().unwrap();
        calls.opened(&old, true);
        (calls, old)
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (service, app) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (service, (app, _)) = (service.unwrap(), app.unwrap());
    let driving = tokio::spawn(async move { old.drive(service, Vec::new()).await });
    tokio::spawn(async move {
        let answer = |_| std::future::ready(Response::default());
        serve(app, Vec::new(), answer, &TaskTracker::new(), &CancellationToken::new()).await
    });
    let (block, body) = (Block::new(Vec::new()), Bytes::new());
    let call = NewCall { host: "", target: "/", block: &block, lines: &[], body: &body };
    for _ in 0..12 {
        let (running, wants_another) = calls.begin(&call);
        assert_eq!(running.unwrap().await.unwrap().0, 200);
        assert!(!wants_another);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;

    let (last, wants_another) = calls.begin(&call);
    assert!(wants_another);
    calls.opened(&calls.add().unwrap(), true);

    assert_eq!(last.unwrap().await.unwrap().0, 200);
    assert!(driving.await.unwrap().is_ok());
    assert!(!calls.begin(&call).1);
}
