//! Events as JSON.

use std::time::Duration;

use bytes::Bytes;
use hub_core::protocol::{Message, Outcome, Protocol, frame::Frames};
use serde_json::{Map, Value, json};

use super::{
    body::{Body, Kept},
    event::{
        Address, Answered, ClientResult, Conversation, Event, Finished, GroupChange, Opened,
        Origin, Refused, Returned, Sent, Trouble, What,
    },
    hidden::{HIDDEN, Hidden},
    peer::Peer,
    time,
};
use crate::causes::Cause;

/// Renders events. Secrets and masked fields are hidden.
#[derive(Clone, Copy, Debug)]
pub(super) struct Render<'a>(&'a Hidden);

const UNDER_LOAD: &str = "more calls and messages than the inspector records in a second: the first of each second are shown";

/// The members of one event.
type Members = Map<String, Value>;

impl<'a> Render<'a> {
    pub(super) fn new(hidden: &'a Hidden) -> Self {
        Self(hidden)
    }

    /// An event as one object.
    pub(super) fn event(self, event: &Event) -> Value {
        let mut members = Members::new();
        members.insert("seq".to_owned(), event.seq.into());
        members.insert("at".to_owned(), time::rfc3339(event.at).into());
        if let Some(peer) = event.what.peer() {
            self.peer(&mut members, peer);
        }
        if let Some(call) = event.what.call() {
            members.insert("call".to_owned(), call.into());
        }
        self.what(&mut members, event);
        Value::Object(members)
    }

    fn what(self, members: &mut Members, event: &Event) {
        let (kind, more) = match &event.what {
            What::Negotiate(it) => (
                "negotiate",
                json!({
                    "hub": self.text(&it.hub), "user": self.optional(it.user.as_deref()),
                    "connection": it.connection, "status": 200,
                }),
            ),
            What::Connected { opened, .. } => ("connected", self.opened(opened)),
            What::Refused(it) => ("refused", self.refused(it)),
            What::Disconnected { peer, trouble, .. } => {
                let mut more = json!({ "ms": ms_between(peer.since(), event.at) });
                self.trouble(&mut more, trouble.as_deref());
                ("disconnected", more)
            }
            What::Invocation { of, queued } => ("invocation", self.invocation(of, *queued)),
            What::Upstream { of, id, address } => ("upstream", self.upstream(of, *id, address)),
            What::Answer { of, id } => ("answer", self.answer(of, *id)),
            What::Completion { of, finished } => ("completion", self.completion(of, finished)),
            What::Send(sent) => ("send", self.sent(sent)),
            What::Group(change) => ("group", self.group(change)),
            What::LeftOut { count } => {
                ("left_out", json!({ "count": count, "reason": UNDER_LOAD }))
            }
            What::ClientResult(result) => ("client_result", self.client_result(result)),
        };
        members.insert("kind".to_owned(), kind.into());
        if let Value::Object(more) = more {
            let present = more.into_iter().filter(|(_, value)| !value.is_null());
            members.extend(present);
        }
    }

    fn peer(self, members: &mut Members, peer: &Peer) {
        members.insert("hub".to_owned(), self.text(&peer.hub));
        members.insert("connection".to_owned(), (*peer.id).into());
        if let Some(user) = &peer.user {
            members.insert("user".to_owned(), self.text(user));
        }
    }

    fn text(self, text: &str) -> Value {
        Value::String(self.0.text(text).into_owned())
    }

    fn optional(self, text: Option<&str>) -> Value {
        text.map_or(Value::Null, |text| self.text(text))
    }

    fn opened(self, opened: &Opened) -> Value {
        json!({
            "transport": opened.transport, "protocol": opened.protocol,
            "resumable": opened.resumable,
            "claims": self.claims(opened.claims.as_deref()),
            "sealed": is_sealed(opened.claims.as_deref()),
            "query": self.query(&opened.query),
        })
    }

    /// The claims of a header. Its form has no escapes, so a value with `, ` may look like several claims. Those of a seal
    /// are exact.
    pub(super) fn claims(self, header: Option<&str>) -> Value {
        let pairs = header.unwrap_or_default().split(", ").filter_map(|it| it.split_once(": "));
        let (seals, plain): (Vec<_>, Vec<_>) =
            pairs.partition(|(name, _)| *name == hub_core::seal::CLAIM);
        let sealed: Vec<_> = seals.into_iter().flat_map(|(_, seal)| self.sealed(seal)).collect();
        let is_sealed = |name: &str, value: &str| {
            sealed.iter().any(|(sealed, text)| sealed == name && text == value)
        };
        let plain = plain.into_iter().filter(|(name, value)| !is_sealed(name, value));
        let plain: Vec<_> = plain.map(|(name, it)| (name.to_owned(), it.to_owned())).collect();
        let shown = sealed.iter().chain(&plain).map(|(name, value)| {
            let value = if self.0.is_masked(name) { HIDDEN.into() } else { self.text(value) };
            json!({ "type": self.text(name), "value": value })
        });
        shown.collect()
    }

    /// The claims in a seal, without its signature.
    fn sealed(self, seal: &str) -> Vec<(String, String)> {
        match self.0.open(seal) {
            Some(claims) => claims,
            None => vec![(hub_core::seal::CLAIM.to_owned(), HIDDEN.to_owned())],
        }
    }

    /// A query without secrets, and with hidden values of masked parameters.
    pub(super) fn query(self, query: &str) -> Value {
        let shown = query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_secret = ["id", "access_token"].iter().any(|it| it.eq_ignore_ascii_case(name));
            let value = if self.0.is_masked(name) { HIDDEN } else { value };
            (!is_secret).then(|| format!("{name}={value}"))
        });
        let shown = shown.collect::<Vec<_>>().join("&");
        self.text(&shown)
    }

    fn refused(self, refused: &Refused) -> Value {
        let Refused { subject, what, status, trouble, omitted } = refused;
        let mut more = json!({
            "hub": self.optional(subject.hub.as_deref()), "user": self.optional(subject.user.as_deref()),
            "connection": subject.connection.as_deref(), "what": what.name(), "status": status,
            "omitted": omitted,
        });
        self.trouble(&mut more, Some(trouble));
        more
    }

    fn trouble(self, more: &mut Value, trouble: Option<&Trouble>) {
        let Some(Trouble { cause, text }) = trouble else { return };
        more["cause"] = json!(cause.map(Cause::id));
        more["text"] = self.text(text);
        more["fix"] = json!(cause.map(Cause::check));
    }

    fn invocation(self, of: &Conversation, queued: bool) -> Value {
        json!({
            "invocation": self.optional(of.invocation_id()), "method": self.text(of.method()),
            "arguments": self.body(&of.arguments), "form": of.protocol.name(),
            "type": if of.invocation_id().is_some() { "invoke" } else { "send" },
            "queued": queued, "again": again(of),
        })
    }

    fn upstream(self, of: &Conversation, id: u64, address: &Address) -> Value {
        let url = match address {
            Address::Url(url) => Some(&**url),
            Address::InProcess => None,
        };
        let is_event = of.origin == Origin::Event;
        let category = if is_event { "connections" } else { "messages" };
        let headers = [
            ("Content-Type", of.protocol.content_type().to_owned()),
            ("X-ASRS-Connection-Id", (*of.peer.id).to_owned()),
            ("X-ASRS-Hub", (*of.peer.hub).to_owned()),
            ("X-ASRS-Category", category.to_owned()),
            ("X-ASRS-Event", of.method().to_owned()),
            ("X-ASRS-Request-Id", id.to_string()),
        ];
        let user = of.peer.user.as_deref().map(|user| ("X-ASRS-User-Id", user.to_owned()));
        let shown = headers.into_iter().chain(user);
        let headers: Value = shown
            .map(|(name, value)| json!({ "name": name, "value": self.text(&value) }))
            .collect();
        json!({
            "id": id, "url": url.map(|url| self.text(url)), "embedded": url.is_none(),
            "category": category, "event": self.text(of.method()), "headers": headers,
        })
    }

    fn answer(self, of: &Conversation, id: Option<u64>) -> Value {
        let Some(Answered { status, body, took, trouble }) = of.answered() else {
            return json!({ "id": id });
        };
        let mut more = json!({ "id": id, "status": status, "ms": ms(*took) });
        if status.is_some() {
            more["body"] = self.body(body);
        }
        if trouble.is_some() {
            more["failed"] = true.into();
            self.trouble(&mut more, trouble.as_ref());
        }
        more
    }

    fn completion(self, of: &Conversation, finished: &Finished) -> Value {
        let mut more = json!({
            "invocation": self.optional(of.invocation_id()), "method": self.text(of.method()),
            "ms": of.answered().map(|answered| ms(answered.took)),
        });
        match finished {
            Finished::Void => {}
            Finished::Error(text) => more["error"] = self.text(text),
            Finished::Relayed => {
                more["relayed"] = true.into();
                let body = of.answered().map(|answered| &answered.body);
                let error = of.answered().and_then(|answered| answered.trouble.as_ref());
                let whole = body.and_then(|body| outcome(of.protocol, body.whole()?));
                match (whole, body) {
                    (Some(Outcome::Error(text)), _) => more["error"] = self.text(&text),
                    (Some(Outcome::Result(value)), _) => {
                        more["result"] = self.value(of.protocol, &value);
                    }
                    (Some(_), _) | (None, None) => {}
                    (None, Some(_)) if error.is_some() => {
                        more["error"] = self.optional(error.map(|it| &*it.text));
                    }
                    (None, Some(body)) => more["result"] = self.body(body),
                }
            }
        }
        more
    }

    fn sent(self, sent: &Sent) -> Value {
        let mut target = json!({ "kind": sent.kind });
        if let Some(name) = &sent.name {
            target["name"] = self.text(name);
        }
        if sent.excluded > 0 {
            target["excluded"] = sent.excluded.into();
        }
        json!({
            "hub": self.text(&sent.hub), "via": sent.via.name(), "target": target,
            "method": self.text(&sent.method), "arguments": self.body(&sent.arguments),
            "recipients": sent.recipients, "bytes": sent.arguments.bytes,
            "calls": if sent.calls.is_empty() { Value::Null } else { json!(sent.calls) },
        })
    }

    fn client_result(self, result: &ClientResult) -> Value {
        let mut more = json!({
            "method": self.text(&result.method), "arguments": self.body(&result.arguments),
            "ms": ms(result.took),
        });
        match &result.returned {
            Returned::Void => {}
            Returned::Value(body) => more["result"] = self.body(body),
            Returned::Error(text) => more["error"] = self.text(text),
        }
        more
    }

    fn group(self, change: &GroupChange) -> Value {
        json!({
            "hub": self.text(&change.hub), "via": change.via.name(), "action": change.action,
            "group": self.optional(change.group.as_deref()),
            "user": self.optional(change.user.as_deref()),
            "connection": change.connection, "ttl_seconds": change.ttl_seconds,
        })
    }

    /// A body as JSON.
    fn body(self, body: &Body) -> Value {
        match &body.kept {
            Kept::Whole(bytes) => self.value(body.protocol, bytes),
            Kept::Start(start) => self.start(body, start),
            Kept::Type(name) => json!({ "bytes": body.bytes, "type": name }),
        }
    }

    fn start(self, body: &Body, start: &Bytes) -> Value {
        if body.protocol.is_binary() {
            // Secrets and values of masked fields may be anywhere in the start, and Base64 would not hide them.
            return json!({ "cut": true, "bytes": body.bytes, "binary": true, "start": HIDDEN });
        }
        let text = String::from_utf8_lossy(start);
        json!({ "cut": true, "bytes": body.bytes, "start": self.plain(&text) })
    }

    /// A text that is not JSON.
    fn plain(self, text: &str) -> Value {
        if self.0.has_mask(text) { HIDDEN.into() } else { self.text(text) }
    }

    /// An encoded value, or a framed message.
    fn value(self, protocol: Protocol, bytes: &Bytes) -> Value {
        match read(protocol, bytes) {
            Some(value) => self.0.value(value),
            None if bytes.is_empty() => Value::Null,
            None => match std::str::from_utf8(bytes) {
                Ok(text) => self.plain(text),
                Err(_) => json!({ "bytes": bytes.len(), "type": "binary" }),
            },
        }
    }
}

/// An encoded value, or a framed message. Responses of an app have JSON in both protocols when they fail.
fn read(protocol: Protocol, bytes: &Bytes) -> Option<Value> {
    #[cfg(feature = "msgpack")]
    if protocol.is_binary() {
        use hub_core::protocol::msgpack::typed_json;
        if let Ok(value) = typed_json(bytes) {
            return Some(value);
        }
        if let Some(value) = unframed(protocol, bytes).and_then(|it| typed_json(&it).ok()) {
            return Some(value);
        }
    }
    let _ = protocol;
    let text = bytes.strip_suffix(b"\x1e").unwrap_or(bytes);
    serde_json::from_slice(text).ok()
}

/// The only message of a framed body.
fn unframed(protocol: Protocol, bytes: &Bytes) -> Option<Bytes> {
    let mut frames = Frames::new(bytes.len());
    frames.switch_to(protocol);
    frames.push(bytes);
    let frame = frames.next_frame().ok()??;
    frames.is_empty().then_some(frame)
}

/// The outcome of the completion in a framed body.
pub(super) fn outcome(protocol: Protocol, bytes: &Bytes) -> Option<Outcome> {
    match protocol.parse(&unframed(protocol, bytes)?).ok()?? {
        Message::Completion { outcome, .. } => Some(outcome),
        _ => None,
    }
}

/// Whether the claims of a header contain a seal.
fn is_sealed(header: Option<&str>) -> bool {
    let mut claims = header.unwrap_or_default().split(", ");
    claims.any(|claim| claim.split(": ").next() == Some(hub_core::seal::CLAIM))
}

fn again(of: &Conversation) -> Option<u64> {
    match of.origin {
        Origin::Again(call) => Some(call),
        Origin::Client | Origin::Event => None,
    }
}

/// A time in milliseconds with three decimals.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn ms_between(from: u64, to: u64) -> f64 {
    ms(Duration::from_micros(to.saturating_sub(from)))
}
