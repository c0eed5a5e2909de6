//! A process that runs out of file descriptors. It must keep serving open connections, and accept
//! new ones once descriptors are free.

use std::time::{Duration, Instant};

use test_support::{until, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    processes::{Process, Site},
    recording_client::RecordingClient,
};

/// File descriptors: enough for the app or the service, and a few more.
const FEW: u32 = 48;
const PLENTY: u32 = 1024;
/// The pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens sockets until the process reports that it cannot accept more, makes calls meanwhile, and
/// closes the sockets.
async fn exhaust(
    process: &mut Process,
    address: std::net::SocketAddr,
    line: &str,
    client: &RecordingClient,
) {
    assert_eq!(client.invoke("tell").await.unwrap(), "accepted");
    let began = Instant::now();
    let mut sockets = Vec::new();
    within("it has no room", async {
        while process.count(line) == 0 {
            sockets.push(TcpStream::connect(address).await.unwrap());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;

    for _ in 0..20 {
        assert_eq!(client.invoke("add").await.map(drop), Ok(()));
    }
    until("it tries again", || process.count(line) > 2).await;
    // A sleep is never shorter than requested, so this bound holds on slow machines, too.
    let tries = process.count(line) as u128;
    let most = began.elapsed().as_millis() / PAUSE.as_millis() + 1;
    assert!(tries <= most, "{tries} tries, and there was time for {most}");

    drop(sockets);
    within("it answers again", answer(address)).await;
    assert!(process.lives());
    assert_eq!(client.invoke("tell").await.unwrap(), "accepted");
}

/// Sends a request and waits for the status line of the response.
async fn answer(address: std::net::SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
}

#[tokio::test]
async fn an_app_without_file_descriptors_serves_open_connections_and_recovers() {
    let site = Site::new();
    let _service = site.service(PLENTY).await;
    let mut app = site.app(FEW).await;
    let client = site.client().await;

    exhaust(&mut app, site.app, "cannot accept a connection", &client).await;

    client.leave().await;
    site.check().await;
}

/// Unlike the command, the library does not read the process limit, so it reserves no descriptors.
#[tokio::test]
async fn a_service_without_file_descriptors_serves_open_connections_and_recovers() {
    let site = Site::new();
    let mut service = site.service(FEW).await;
    let _app = site.app(PLENTY).await;
    let client = site.client().await;

    exhaust(&mut service, site.service, "cannot accept a connection", &client).await;

    let other = site.client().await;
    assert_eq!(other.invoke("tell").await.unwrap(), "accepted");
    for client in [client, other] {
        client.leave().await;
    }
    site.check().await;
}
