//! Readers of the ring.

use std::sync::Arc;

use super::{
    event::{Event, What},
    recorder::Recorder,
    render::Render,
    time,
};

/// A batch ends after this number of bytes: the events of a batch become JSON without a pause for other tasks.
const MAX_BATCH_BYTES: usize = 128 * 1024;

/// Events as JSON, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The number of each event, and the event as one line of JSON.
    pub(crate) lines: Vec<(u64, String)>,
    /// The number of events before the first line that were not read.
    pub(crate) left_out: u64,
    /// Where to read on.
    pub(crate) next: u64,
}

/// Which events a reader gets. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) hub: Option<String>,
    pub(crate) connection: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) method: Option<String>,
    /// Only refusals, failed calls and connections that ended with an error.
    pub(crate) failures: bool,
}

/// A reader of the events of a recorder. Recording costs less while there is none.
#[derive(Debug)]
pub(crate) struct Reader(Arc<Recorder>);

impl Reader {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        recorder.enter();
        Self(recorder)
    }

    /// Waits until there is an event after this one.
    pub(crate) async fn changed(&self, after: u64) {
        self.0.after(after).await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Which events to read if there are more than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Reads the oldest, so that the next read continues after them.
    Later,
    /// Reads the newest and leaves out those before them.
    LeaveOut,
}

impl Recorder {
    /// Reads at most `limit` events after `after`.
    pub(crate) fn read(&self, after: u64, limit: usize, filter: &Filter, excess: Excess) -> Batch {
        self.tell_left_out();
        let ring = self.ring.lock();
        // A number of an earlier run of the service.
        let is_of_earlier_run = after > ring.last;
        let after = if is_of_earlier_run { 0 } else { after };
        let first = ring.first().unwrap_or(ring.last + 1);
        let overwritten = first.saturating_sub(after.max(ring.cleared) + 1);
        let matching = || ring.after(after).filter(|event| filter.matches(&event.what));
        let (events, skipped): (Vec<Event>, u64) = match excess {
            Excess::Later => (matching().take(limit).cloned().collect(), 0),
            Excess::LeaveOut => {
                let mut newest: Vec<_> = matching().rev().take(limit).cloned().collect();
                newest.reverse();
                let from = newest.first().map_or(0, |event| event.seq);
                let skipped = if newest.len() < limit {
                    0
                } else {
                    matching().take_while(|event| event.seq < from).count() as u64
                };
                (newest, skipped)
            }
        };
        let next = match (excess, events.last()) {
            (Excess::Later, Some(event)) if events.len() == limit => event.seq,
            _ => ring.last,
        };
        drop(ring);
        let left_out = skipped + if is_of_earlier_run { 0 } else { overwritten };
        let render = Render::new(&self.hidden);
        let (mut batch, mut bytes) = (Batch { lines: Vec::new(), left_out, next }, 0);
        for event in &events {
            let line = render.event(event).to_string();
            bytes += line.len();
            batch.lines.push((event.seq, line));
            if bytes > MAX_BATCH_BYTES {
                batch.next = event.seq;
                break;
            }
        }
        batch
    }

    /// The line for events that were left out. `seq` is the number of the last of them.
    pub(crate) fn left_out(seq: u64, count: u64, reason: &str) -> String {
        serde_json::json!({
            "seq": seq,
            "at": time::rfc3339(time::now()),
            "kind": "left_out",
            "count": count,
            "reason": reason,
        })
        .to_string()
    }

    /// The number of events that are kept, and the numbers of the first and the last event.
    pub(crate) fn kept(&self) -> (usize, Option<u64>, u64) {
        let ring = self.ring.lock();
        (ring.len(), ring.first(), ring.last)
    }

    /// The number of events of this service that are not kept any more.
    pub(crate) fn overwritten(&self) -> u64 {
        let ring = self.ring.lock();
        ring.first().unwrap_or(ring.last + 1).saturating_sub(ring.cleared + 1)
    }
}

impl Filter {
    fn matches(&self, what: &What) -> bool {
        if *self == Self::default() {
            return true;
        }
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| value.is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
        };
        let Named { hub, connection, user, group, method } = Named::of(what);
        is(&self.hub, hub)
            && is(&self.connection, connection)
            && is(&self.user, user)
            && is(&self.group, group)
            && is(&self.method, method)
            && (!self.failures || has_failed(what))
    }
}

/// The names of an event that filters compare.
#[derive(Default)]
struct Named<'a> {
    hub: Option<&'a str>,
    connection: Option<&'a str>,
    user: Option<&'a str>,
    group: Option<&'a str>,
    method: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn of(what: &'a What) -> Self {
        if let Some(peer) = what.peer() {
            return Self {
                hub: Some(&peer.hub),
                connection: Some(&peer.id),
                user: peer.user.as_deref(),
                method: what.conversation().map(|of| of.method()),
                group: None,
            };
        }
        match what {
            What::Negotiate(it) => Self {
                hub: Some(&it.hub),
                user: it.user.as_deref(),
                connection: Some(&it.connection),
                ..Self::default()
            },
            What::Refused(it) => Self {
                hub: it.subject.hub.as_deref(),
                user: it.subject.user.as_deref(),
                connection: it.subject.connection.as_deref(),
                ..Self::default()
            },
            What::Send(it) => {
                let name = |kind| it.name.as_deref().filter(|_| it.kind == kind);
                Self {
                    hub: Some(&it.hub),
                    connection: name("connection"),
                    user: name("user"),
                    group: name("group"),
                    method: Some(&it.method),
                }
            }
            What::Group(it) => Self {
                hub: Some(&it.hub),
                connection: it.connection.as_deref(),
                user: it.user.as_deref(),
                group: it.group.as_deref(),
                method: None,
            },
            _ => Self::default(),
        }
    }
}

fn has_failed(what: &What) -> bool {
    match what {
        What::Refused(_) => true,
        What::Disconnected { trouble, .. } => {
            trouble.as_ref().is_some_and(|trouble| trouble.cause.is_some())
        }
        other => other.conversation().is_some_and(|of| of.has_failed()),
    }
}
