//! Log lines about refused callers.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::process::Running;

/// Sends a request without a body, and reads the status line of the response.
async fn status(port: u16, head: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_refused_rest_call_is_a_warning_with_its_reason_and_many_are_a_few_lines() {
    let service = Running::start(&[]).await;

    for _ in 0..50 {
        let refused = status(service.port, "POST /api/hubs/chat/:send?token=secret").await;
        assert_eq!(refused, "HTTP/1.1 401 Unauthorized");
    }

    let line = service.log.line("REST call refused").await;
    for part in [
        "WARN",
        "path=\"/api/hubs/chat/:send\"",
        "status=401",
        "cause=\"no_token\"",
        "Authorization: Bearer",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let log = service.log.text();
    assert!(log.matches("REST call refused").count() <= 40, "{log}");
    assert!(!log.contains("secret"));
}
