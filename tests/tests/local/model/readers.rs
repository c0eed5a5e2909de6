//! The tasks in which clients read.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, ReadHalf},
    sync::watch,
};

use super::{client::Requests, ear::Ear};
use crate::wire::Stream;

/// How much a client may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    All,
    /// So many bytes of a WebSocket, and nothing of any other transport.
    Bytes(usize),
}

type Ears = Arc<Mutex<Ear>>;

/// Reads a WebSocket until it ends.
pub(super) async fn socket(
    mut stream: ReadHalf<Box<dyn Stream>>,
    mut reading: watch::Receiver<Reading>,
    ear: Ears,
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
                    let mut ear = ear.lock().unwrap();
                    if read == 0 {
                        return ear.ends("cut");
                    }
                    ear.web_socket(&buffer[..read]);
                    room = room.saturating_sub(read);
                }
            }
        }
        if room == 0 && reading.changed().await.is_err() {
            return;
        }
    }
}

/// Waits until the client may read.
async fn may_read(reading: &mut watch::Receiver<Reading>) -> bool {
    reading.wait_for(|reading| *reading == Reading::All).await.is_ok()
}

/// Reads Server-Sent Events until they end.
pub(super) async fn events(
    mut body: hub_local::Body,
    mut reading: watch::Receiver<Reading>,
    ear: Ears,
) {
    let (mut text, mut data) = (String::new(), String::new());
    while may_read(&mut reading).await {
        let frame = tokio::select! {
            biased;
            _ = reading.changed() => continue,
            frame = body.frame() => frame,
        };
        let mut ear = ear.lock().unwrap();
        let Some(Ok(frame)) = frame else { return ear.ends("over") };
        text.push_str(str::from_utf8(frame.data_ref().unwrap()).unwrap());
        while let Some((line, rest)) = text.split_once("\r\n") {
            if let Some(more) = line.strip_prefix("data: ") {
                data.push_str(more);
            } else if line.is_empty() {
                ear.messages(std::mem::take(&mut data).as_bytes());
            }
            text = rest.to_owned();
        }
    }
}

/// Polls until there is nothing more.
pub(super) async fn polls(requests: Requests, mut reading: watch::Receiver<Reading>, ear: Ears) {
    while may_read(&mut reading).await {
        let (status, _, body) = tokio::select! {
            biased;
            _ = reading.changed() => continue,
            answer = requests.ask(Method::GET, "", Bytes::new()) => answer,
        };
        if status != 200 {
            return ear.lock().unwrap().ends("over");
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        ear.lock().unwrap().messages(&bytes);
    }
}
