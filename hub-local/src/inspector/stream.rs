//! Events as Server-Sent Events or as lines of JSON.
//!
//! A reader has a place in the ring and no queue of its own, so a slow reader costs no memory: it misses what was
//! overwritten in the meantime, and is told how much.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    request::Parts,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::error::Refused;
use crate::{
    body::Body,
    inspect::{Batch, Excess, Filter, Inspection, Reader, Recorder},
    query::Query,
    state::State,
};

/// How many events a reader gets at once.
const MAX_EVENTS: usize = 100;
/// The time between two batches of a reader that follows.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest time without data.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const LINES: &str = "application/x-ndjson";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a reader asks for.
struct Request {
    after: u64,
    filter: Filter,
    follows: bool,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Events,
    Lines,
}

pub(super) fn respond(
    state: &Arc<State>,
    inspection: &Inspection,
    parts: &Parts,
) -> Result<Response<Body>, Refused> {
    let request = Request::of(parts)?;
    let content_type = request.form.content_type();
    let permit = Arc::clone(&inspection.followers).try_acquire_owned().map_err(|_| {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many readers follow the events",
            "close another page or script",
        )
    })?;
    let (sender, receiver) = mpsc::channel(1);
    let gone = CancellationToken::new();
    let (closing, recorder) = (state.shared.closing.clone(), Arc::clone(&inspection.recorder));
    let instance = inspection.instance.clone();
    let cancelled = gone.clone();
    state.shared.tasks.spawn(async move {
        let sending = send(&recorder, request, &sender, &instance);
        tokio::select! {
            () = cancelled.cancelled() => {}
            () = closing.cancelled() => {}
            _ = sending => {}
        }
        drop(permit);
    });
    let mut response = Response::new(Body::events(receiver, gone.drop_guard()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

impl Request {
    fn of(parts: &Parts) -> Result<Self, Refused> {
        let query = Query::new(parts.uri.query());
        let named = |name| query.first(name).filter(|value| !value.is_empty());
        let last = parts.headers.get(LAST_EVENT_ID).and_then(|it| it.to_str().ok());
        let after = named("after").or_else(|| last.map(str::to_owned)).unwrap_or_default();
        let after = match after.trim() {
            "" => 0,
            text => text.parse().map_err(|_| {
                Refused::invalid(
                    "`after` is not the number of an event",
                    "send the `seq` of an event",
                )
            })?,
        };
        let form = if wants_lines(&parts.headers) { Form::Lines } else { Form::Events };
        let follows = match named("follow").as_deref() {
            Some(text) => is_true("follow", text)?,
            None => form == Form::Events,
        };
        let filter = Filter {
            hub: named("hub"),
            connection: named("connection"),
            user: named("user"),
            group: named("group"),
            method: named("method"),
            failures: named("failures").map_or(Ok(false), |text| is_true("failures", &text))?,
        };
        let form = if follows { form } else { Form::Lines };
        Ok(Self { after, filter, follows, form })
    }
}

fn is_true(name: &str, text: &str) -> Result<bool, Refused> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(Refused::invalid(format!("`{name}` must be 0 or 1"), format!("send `{name}=1`"))),
    }
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split([',', ';']))
        .any(|it| it.trim().eq_ignore_ascii_case(LINES))
}

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => LINES,
        }
    }

    fn keep_alive(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Events => b": \n\n",
            Self::Lines => b"\n",
        })
    }

    fn write(self, out: &mut String, seq: u64, line: &str) {
        match self {
            Self::Events => out.push_str(&format!("id: {seq}\ndata: {line}\n\n")),
            Self::Lines => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
}

/// Sends events until the reader has gone, or all of them if the reader does not follow. `None` if the reader has gone.
async fn send(
    recorder: &Arc<Recorder>,
    request: Request,
    sender: &mpsc::Sender<Bytes>,
    instance: &str,
) -> Option<()> {
    let Request { after, filter, follows, form } = request;
    let reader = Reader::new(Arc::clone(recorder));
    if form == Form::Events {
        sender.send(format!(": instance {instance}\n\n").into()).await.ok()?;
    }
    // First all events that are kept.
    let (_, _, until) = recorder.kept();
    let mut place = if after > until { 0 } else { after };
    while place < until {
        let mut batch = recorder.read(place, MAX_EVENTS, &filter, Excess::Later);
        if place == 0 {
            // A new reader asks for what is kept, and has missed nothing.
            batch.left_out = 0;
        }
        place = batch.next;
        write(sender, form, &batch).await?;
        tokio::task::yield_now().await;
    }
    if !follows {
        return Some(());
    }
    loop {
        if timeout(KEEP_ALIVE, reader.changed(place)).await.is_err() {
            sender.send(form.keep_alive()).await.ok()?;
            continue;
        }
        let batch = recorder.read(place, MAX_EVENTS, &filter, Excess::LeaveOut);
        place = batch.next;
        write(sender, form, &batch).await?;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn write(sender: &mpsc::Sender<Bytes>, form: Form, batch: &Batch) -> Option<()> {
    const REASON: &str = "more events than the inspector keeps or sends: these are the newest";
    let mut text = String::new();
    if batch.left_out > 0 {
        let seq = batch.lines.first().map_or(batch.next, |(seq, _)| seq.saturating_sub(1));
        form.write(&mut text, seq, &Recorder::left_out(seq, batch.left_out, REASON));
    }
    batch.lines.iter().for_each(|(seq, line)| form.write(&mut text, *seq, line));
    if text.is_empty() {
        return Some(());
    }
    sender.send(text.into()).await.ok()
}
