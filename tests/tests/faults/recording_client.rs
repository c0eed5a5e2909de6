//! A client over a WebSocket that records a [`History`] and can resume its connection.
//!
//! Unlike `test_support::Client` it numbers its calls. It supports only JSON, one negotiate, and
//! one WebSocket at a time.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use hub_core::protocol::{Message, Outcome, frame::Frames, json};
use serde_json::Value;
use test_support::{KEY, until, user_token, within};
use tests::history::{Event, History};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use crate::socket::{self, ConnectTarget};

pub(crate) const HUB: &str = "ledger";

/// Returns a token as an app's negotiate response contains it.
pub(crate) fn client_token() -> String {
    user_token(KEY, &format!("http://127.0.0.1/client/?hub={HUB}"), "ada")
}

/// A client. Dropping it breaks its transport without a close message.
#[derive(Debug)]
pub(crate) struct RecordingClient {
    /// The connection id.
    pub(crate) id: String,
    shared: Arc<Shared>,
    out: mpsc::UnboundedSender<Message>,
    task: AbortHandle,
}

/// State shared by the client and the task of its socket.
#[derive(Debug)]
pub(crate) struct Shared {
    id: String,
    history: History,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<String, oneshot::Sender<Outcome>>,
    next: u64,
    /// The number of received messages that are invalid or complete an unknown call.
    garbage: usize,
    /// How often the connection was resumed over another WebSocket.
    resumed: usize,
    ended: Option<String>,
}

impl RecordingClient {
    /// Connects, or returns the text of the error.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        history: &History,
        resumes: bool,
    ) -> Result<Self, String> {
        within("a client connects", Self::connect_to(address, history, resumes)).await
    }

    async fn connect_to(
        address: SocketAddr,
        history: &History,
        resumes: bool,
    ) -> Result<Self, String> {
        let token = client_token();
        let (id, connection_token) = negotiate(address, &token, resumes).await?;
        let query = format!("hub={HUB}&id={connection_token}&access_token={token}");
        let target =
            ConnectTarget { address, url: format!("ws://{address}/client/?{query}"), resumes };
        let mut socket = socket::open(&target).await?;
        socket::shake_hands(&mut socket, resumes).await?;
        history.note(Event::Joined { client: id.clone() });
        let shared =
            Arc::new(Shared { id: id.clone(), history: history.clone(), state: Mutex::default() });
        let (out, inbox) = mpsc::unbounded_channel();
        let task = tokio::spawn(socket::run(socket, inbox, Arc::clone(&shared), target));
        Ok(Self { id, shared, out, task: task.abort_handle() })
    }

    pub(crate) async fn connect(address: SocketAddr, history: &History) -> Self {
        Self::try_connect(address, history, false).await.unwrap()
    }

    /// Calls a method with the next number, and returns the result, the error of the completion, or
    /// the reason why the connection ended.
    pub(crate) async fn invoke(&self, method: &str) -> Result<Value, String> {
        let (number, waiting) = self.begin(method);
        let answer = within(&format!("an answer to {method} {number}"), waiting).await;
        match answer {
            Ok(Outcome::Void) => Ok(Value::Null),
            Ok(Outcome::Result(value)) => Ok(serde_json::from_slice(&value).unwrap()),
            Ok(Outcome::Error(text)) => Err(text),
            Err(_) => Err(self.ended().unwrap()),
        }
    }

    /// Calls a method without waiting for the completion.
    pub(crate) fn begin(&self, method: &str) -> (u64, oneshot::Receiver<Outcome>) {
        let (answer, waiting) = oneshot::channel();
        let number = {
            let mut state = self.shared.state();
            state.next += 1;
            let number = state.next;
            if state.ended.is_none() {
                state.waiting.insert(number.to_string(), answer);
            }
            number
        };
        self.shared.note(|client| Event::Invoked { client, number });
        // An error means that the connection has ended.
        let _ = self.out.send(Message::Invocation {
            invocation_id: Some(number.to_string()),
            target: method.to_owned(),
            arguments: Bytes::from(format!("[{number}]")),
            stream_ids: Vec::new(),
            trace: None,
        });
        (number, waiting)
    }

    /// Sends a ping. From then on the service expects pings and applies the client timeout.
    pub(crate) fn ping(&self) {
        let _ = self.out.send(Message::Ping);
    }

    /// Returns why the connection ended, or `None` while it is open.
    pub(crate) fn ended(&self) -> Option<String> {
        self.shared.state().ended.clone()
    }

    /// Waits for the end of the connection and returns the reason.
    pub(crate) async fn end(&self) -> String {
        until("the end of a client", || self.ended().is_some()).await;
        self.ended().unwrap()
    }

    /// Returns the number of received messages that are invalid or complete an unknown call.
    pub(crate) fn garbage(&self) -> usize {
        self.shared.state().garbage
    }

    /// Returns the number of WebSockets that the client has used.
    pub(crate) fn sockets(&self) -> usize {
        1 + self.shared.state().resumed
    }

    /// Returns the number of messages received from this sender.
    pub(crate) fn heard(&self, from: &str) -> usize {
        self.shared.history.count(|event| {
            matches!(event, Event::Received { client, sender, .. } if client == &self.id && sender == from)
        })
    }

    /// Sends a close message, and waits until the service has closed the connection.
    pub(crate) async fn leave(self) {
        self.shared.note(|client| Event::Left { client });
        let _ = self.out.send(Message::Close { error: None, allow_reconnect: false });
        self.end().await;
    }
}

impl Drop for RecordingClient {
    fn drop(&mut self) {
        self.shared.end("dropped");
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn note(&self, event: impl FnOnce(String) -> Event) {
        self.history.note(event(self.id.clone()));
    }

    pub(crate) fn resumed(&self) {
        self.state().resumed += 1;
    }

    /// Records one message of the service.
    pub(crate) fn take(&self, message: Message) {
        match message {
            Message::Invocation { target, arguments, .. } if target == "told" => {
                let (sender, number) = serde_json::from_slice(&arguments).unwrap();
                self.note(|client| Event::Received { client, sender, number });
            }
            Message::Completion { invocation_id, outcome } => {
                let Ok(number) = invocation_id.parse() else {
                    self.state().garbage += 1;
                    return;
                };
                let error = match &outcome {
                    Outcome::Error(text) => Some(text.clone()),
                    Outcome::Void | Outcome::Result(_) => None,
                };
                self.note(|client| Event::Completed { client, number, error });
                let waiting = self.state().waiting.remove(&invocation_id);
                if let Some(waiting) = waiting {
                    let _ = waiting.send(outcome);
                }
            }
            _ => {}
        }
    }

    /// Handles one WebSocket message. Returns the reason if the message closes the connection.
    pub(crate) fn take_all(&self, bytes: &[u8], mut take: impl FnMut(Message)) -> Option<String> {
        let mut frames = Frames::new(usize::MAX);
        frames.push(bytes);
        let mut rest = bytes.len();
        while let Ok(Some(frame)) = frames.next_frame() {
            rest -= frame.len() + 1;
            match json::parse(&frame) {
                Ok(Some(Message::Close { error, .. })) => {
                    return Some(error.unwrap_or_else(|| "closed".to_owned()));
                }
                Ok(Some(message)) => take(message),
                Ok(None) | Err(_) => self.state().garbage += 1,
            }
        }
        if rest > 0 {
            self.state().garbage += 1;
        }
        None
    }

    pub(crate) fn end(&self, why: &str) {
        let mut state = self.state();
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(why.to_owned());
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.note(|client| Event::Left { client });
        drop(waiting);
    }
}

/// Negotiates, and returns the connection id and the secret connection token.
pub(crate) async fn negotiate(
    address: SocketAddr,
    token: &str,
    resumes: bool,
) -> Result<(String, String), String> {
    let more = if resumes { "&useStatefulReconnect=true" } else { "" };
    let head = format!(
        "POST /client/negotiate?hub={HUB}&negotiateVersion=1{more} HTTP/1.1\r\nHost: {address}\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = asking.await.map_err(|error| format!("negotiate: {error}"))?;
    let answer = String::from_utf8(answer).map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let answer: Value = serde_json::from_str(body).map_err(|_| format!("negotiate: {head}"))?;
    let named = |name: &str| answer[name].as_str().map(str::to_owned);
    named("connectionId").zip(named("connectionToken")).ok_or(format!("negotiate: {answer}"))
}
