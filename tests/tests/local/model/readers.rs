//! The tasks that read for clients.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, ReadHalf},
    sync::watch,
};

use super::{client::Requests, inbox::Inbox};
use crate::wire::Stream;

/// The amount that a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    All,
    /// At most this many bytes of a WebSocket, and nothing over any other transport.
    Bytes(usize),
}

type SharedInbox = Arc<Mutex<Inbox>>;

/// Reads a WebSocket until it ends.
pub(super) async fn socket(
    mut stream: ReadHalf<Box<dyn Stream>>,
    mut reading: watch::Receiver<Reading>,
    inbox: SharedInbox,
) {
    let mut buffer = [0; 1024];
    loop {
        let mut room = match *reading.borrow_and_update() {
            Reading::All => usize::MAX,
            Reading::Bytes(bytes) => bytes,
        };
        while room > 0 {
            let most = room.min(buffer.len());
            tokio::select! {
                biased;
                changed = reading.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                read = stream.read(&mut buffer[..most]) => {
                    let read = read.unwrap_or(0);
                    let mut inbox = inbox.lock().unwrap();
                    if read == 0 {
                        return inbox.end("cut");
                    }
                    inbox.web_socket(&buffer[..read]);
                    room = room.saturating_sub(read);
                }
            }
        }
        if room == 0 && reading.changed().await.is_err() {
            return;
        }
    }
}

/// Waits until the client reads everything.
async fn may_read(reading: &mut watch::Receiver<Reading>) -> bool {
    reading.wait_for(|reading| *reading == Reading::All).await.is_ok()
}

/// Reads Server-Sent Events until they end.
pub(super) async fn events(
    mut body: hub_local::Body,
    mut reading: watch::Receiver<Reading>,
    inbox: SharedInbox,
) {
    let (mut text, mut data) = (String::new(), String::new());
    while may_read(&mut reading).await {
        let frame = tokio::select! {
            biased;
            _ = reading.changed() => continue,
            frame = body.frame() => frame,
        };
        let mut inbox = inbox.lock().unwrap();
        let Some(Ok(frame)) = frame else { return inbox.end("over") };
        text.push_str(str::from_utf8(frame.data_ref().unwrap()).unwrap());
        while let Some((line, rest)) = text.split_once("\r\n") {
            if let Some(more) = line.strip_prefix("data: ") {
                data.push_str(more);
            } else if line.is_empty() {
                inbox.messages(std::mem::take(&mut data).as_bytes());
            }
            text = rest.to_owned();
        }
    }
}

/// Polls until the connection ends.
pub(super) async fn polls(
    requests: Requests,
    mut reading: watch::Receiver<Reading>,
    inbox: SharedInbox,
) {
    while may_read(&mut reading).await {
        let (status, _, body) = tokio::select! {
            biased;
            _ = reading.changed() => continue,
            answer = requests.ask(Method::GET, "", Bytes::new()) => answer,
        };
        if status != 200 {
            return inbox.lock().unwrap().end("over");
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        inbox.lock().unwrap().messages(&bytes);
    }
}
