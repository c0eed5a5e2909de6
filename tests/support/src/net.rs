//! Sockets on loopback.

use std::net::SocketAddr;

use hub_local::LocalService;
use tokio::net::TcpListener;

/// Returns a loopback address on which no process listens.
pub async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Serves a local service on a free port in a task, and returns its address.
pub async fn serve_on_loopback(service: &LocalService) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(service.serve(listener));
    address
}
