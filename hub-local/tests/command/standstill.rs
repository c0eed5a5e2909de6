//! A process that stands still for some seconds, as under a debugger or after `docker pause`.

use std::time::Duration;

use tokio::time::sleep;

use crate::{app::App, client::Client, process::Running};

const PING: &str = r#"{"type":6}"#;

#[tokio::test]
async fn clients_that_ping_while_the_process_stands_still_stay_connected() {
    let app = App::named("done").await;
    let service = Running::start(&["--upstream", &app.url, "--client-timeout", "5s"]).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(service.port, "chat").await);
    }
    for client in &mut clients {
        // The timeout applies after the first ping. The completion shows that the ping was read.
        client.send(PING).await;
        client.invoke("1", "before").await;
        assert_eq!(client.receive().await["result"], "done");
    }

    service.signal("STOP");
    sleep(Duration::from_secs(8)).await;
    for client in &mut clients {
        client.send(PING).await;
    }
    service.signal("CONT");

    for client in &mut clients {
        client.invoke("2", "after").await;
        assert_eq!(client.receive().await["result"], "done");
    }
}
