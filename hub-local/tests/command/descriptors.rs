//! Limit of file descriptors.

use crate::{
    client::{self, Client},
    process::{KEY, Running, with_timeout},
};

#[tokio::test]
async fn the_soft_limit_is_raised_to_the_hard_one() {
    let service = Running::start_with_limit("ulimit -Sn 128 && ulimit -Hn 512", &[]).await;

    let line = service.out.line("File descriptors").await;

    assert!(line.contains("512 (raised from 128)"), "{line}");
}

#[tokio::test]
async fn near_the_limit_new_clients_get_503_and_rest_continues() {
    let service = Running::start_with_limit("ulimit -n 96", &[]).await;
    let mut clients = Vec::new();

    let refused = loop {
        assert!(clients.len() < 96, "more clients than descriptors");
        match Client::try_connect(service.port, "chat", KEY).await {
            Ok(client) => clients.push(client),
            Err(status) => break status,
        }
    };

    assert_eq!(refused, 503);
    assert!(clients.len() > 32, "only {} clients fit", clients.len());
    let negotiate = client::status(service.port, "POST", "/client/negotiate?hub=chat").await;
    assert_eq!(negotiate, 503);
    assert_eq!(client::status(service.port, "GET", "/api/health").await, 200);
    service.log.line("no file descriptors for more clients").await;

    clients.clear();
    let again = async {
        while Client::try_connect(service.port, "chat", KEY).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    with_timeout("room for a new client", again).await;
}
