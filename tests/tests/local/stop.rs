//! Stopping the service.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

use crate::support::{App, Fixture, URL, answer, client_token};

#[tokio::test(start_paused = true)]
async fn shutdown_closes_clients_with_allow_reconnect_and_waits_for_disconnected() {
    let delivered = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&delivered);
    let app = App::new(move |call| {
        let flag = Arc::clone(&flag);
        async move {
            if call.event == "disconnected" {
                sleep(Duration::from_secs(3)).await;
                flag.store(true, Ordering::SeqCst);
            }
            answer(200, "")
        }
    });
    let fixture = Fixture::new(app);
    let mut client = fixture.client("ada").await;

    fixture.service.shutdown().await;

    assert!(delivered.load(Ordering::SeqCst));
    assert_eq!(client.recv_text().await, "{\"type\":7,\"allowReconnect\":true}\x1e");
    assert_eq!(client.recv_text().await, "");
    let url = format!("{URL}/client/?hub=chat");
    let refused = fixture.service.connect_memory(&url, &client_token("bob")).unwrap_err();
    assert_eq!(refused.status.as_u16(), 503);
}

#[tokio::test(start_paused = true)]
async fn running_calls_can_send_while_the_service_stops() {
    let cell: Arc<std::sync::OnceLock<Fixture>> = Arc::default();
    let inner = Arc::clone(&cell);
    let app = App::new(move |call| {
        let inner = Arc::clone(&inner);
        async move {
            if call.event == "disconnected" {
                inner.get().unwrap().send(":send", "good bye").await;
            }
            answer(200, "")
        }
    });
    let fixture = Fixture::new(app);
    cell.set(fixture.clone()).ok().unwrap();
    let _client = fixture.client("ada").await;

    fixture.service.shutdown().await;

    assert_eq!(fixture.app.events(), ["connected", "disconnected"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes_clients() {
    let Fixture { service, app } = Fixture::new(App::silent());
    let fixture = Fixture { service, app: app.clone() };
    let mut client = fixture.client("ada").await;

    drop(fixture);

    assert_eq!(client.recv_text().await, "{\"type\":7,\"allowReconnect\":true}\x1e");
    app.called("disconnected").await;
}

#[tokio::test]
async fn serving_ends_when_the_service_has_stopped() {
    let fixture = Fixture::new(App::silent());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let serving = tokio::spawn(fixture.service.serve(listener));

    fixture.service.shutdown().await;

    serving.await.unwrap().unwrap();
}
