//! Calls that run, and figures of the last seconds.

use std::{collections::HashMap, sync::Arc};

use super::event::{Address, Conversation, Trouble};

/// The seconds that rates look back.
const SECONDS: u64 = 10;
const MICROS: u64 = 1_000_000;
/// The largest number of running calls that a send names.
const MAX_NAMED: usize = 16;
/// Above this number of running calls, a send names none.
const MAX_SEARCHED: usize = 64;
/// The largest number of addresses of apps.
const MAX_APPS: usize = 16;

/// The calls that run.
#[derive(Debug, Default)]
pub(super) struct Running {
    slots: Vec<Option<Arc<Conversation>>>,
    free: Vec<usize>,
}

impl Running {
    /// Adds a call and returns its slot.
    pub(super) fn add(&mut self, of: Arc<Conversation>) -> usize {
        if let Some(slot) = self.free.pop()
            && let Some(empty) = self.slots.get_mut(slot)
        {
            *empty = Some(of);
            return slot;
        }
        self.slots.push(Some(of));
        self.slots.len() - 1
    }

    pub(super) fn remove(&mut self, slot: usize) {
        if self.slots.get_mut(slot).and_then(Option::take).is_some() {
            self.free.push(slot);
        }
        if self.free.len() == self.slots.len() && self.slots.len() > MAX_SEARCHED {
            *self = Self::default();
        }
    }

    /// The calls of a hub. Empty if there are too many to be of use.
    pub(super) fn of_hub(&self, hub: &str) -> Vec<u64> {
        if self.slots.len() - self.free.len() > MAX_SEARCHED {
            return Vec::new();
        }
        let running = self.slots.iter().flatten().filter(|of| *of.peer.hub == *hub);
        let calls: Vec<_> = running.map(|of| of.call).take(MAX_NAMED + 1).collect();
        if calls.len() > MAX_NAMED { Vec::new() } else { calls }
    }
}

/// Counts of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Rates {
    seconds: [Second; SECONDS as usize],
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    at: u64,
    calls: u64,
    failures: u64,
    messages: u64,
}

/// Averages of the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Averages {
    pub(crate) calls_per_second: f64,
    /// The share of the calls that failed, from 0 to 1.
    pub(crate) failing_share: f64,
    pub(crate) messages_per_second: f64,
}

impl Rates {
    fn second(&mut self, now: u64) -> &mut Second {
        let at = now / MICROS;
        let second = &mut self.seconds[(at % SECONDS) as usize];
        if second.at != at {
            *second = Second { at, ..Second::default() };
        }
        second
    }

    /// A call has ended.
    pub(super) fn call(&mut self, now: u64, failed: bool) {
        let second = self.second(now);
        second.calls += 1;
        second.failures += u64::from(failed);
    }

    /// A message goes to this number of clients.
    pub(super) fn message(&mut self, now: u64, recipients: usize) {
        self.second(now).messages += recipients as u64;
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(super) fn averages(&self, now: u64) -> Averages {
        let first = (now / MICROS).saturating_sub(SECONDS - 1);
        let recent = || self.seconds.iter().filter(|second| second.at >= first);
        let sum = |of: fn(&Second) -> u64| recent().map(of).sum::<u64>() as f64;
        let (calls, failures) = (sum(|it| it.calls), sum(|it| it.failures));
        Averages {
            calls_per_second: calls / SECONDS as f64,
            failing_share: if calls > 0.0 { failures / calls } else { 0.0 },
            messages_per_second: sum(|it| it.messages) / SECONDS as f64,
        }
    }
}

/// What is known about an app from its responses.
#[derive(Clone, Debug, Default)]
pub(crate) struct App {
    /// The URL without path and query; `None` for an app in this process.
    pub(crate) url: Option<String>,
    /// Whether the latest call was answered.
    pub(crate) reachable: Option<bool>,
    /// The latest failure, with its time in microseconds since 1970.
    pub(crate) last_error: Option<(u64, Trouble)>,
}

/// The apps that were called.
#[derive(Debug, Default)]
pub(super) struct Apps {
    /// The app in this process.
    embedded: Option<App>,
    /// By scheme and host.
    remote: HashMap<String, App>,
}

impl Apps {
    /// A call has ended. `reached` is whether there was a response.
    pub(super) fn call(
        &mut self,
        address: &Address,
        now: u64,
        reached: bool,
        trouble: Option<&Trouble>,
    ) {
        let Some(app) = self.app(address) else { return };
        app.reachable = Some(reached);
        if let Some(trouble) = trouble {
            app.last_error = Some((now, trouble.clone()));
        }
    }

    fn app(&mut self, address: &Address) -> Option<&mut App> {
        let Address::Url(url) = address else {
            return Some(self.embedded.get_or_insert_default());
        };
        let base = base(url);
        if !self.remote.contains_key(base) {
            if self.remote.len() >= MAX_APPS {
                return None;
            }
            let app = App { url: Some(base.to_owned()), ..App::default() };
            self.remote.insert(base.to_owned(), app);
        }
        self.remote.get_mut(base)
    }

    pub(super) fn all(&self) -> Vec<App> {
        let mut all: Vec<_> = self.embedded.iter().chain(self.remote.values()).cloned().collect();
        all.sort_by(|left, right| left.url.cmp(&right.url));
        all
    }
}

/// Scheme and host of a URL.
fn base(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(from..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..from + end)).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::Cause;

    #[test]
    fn rates_are_averages_of_the_last_ten_seconds() {
        let mut rates = Rates::default();
        let at = |second: u64| second * MICROS;

        (0..20).for_each(|call| rates.call(at(100), call % 4 == 0));
        rates.message(at(101), 50);

        let averages = rates.averages(at(101));
        assert_eq!(averages.calls_per_second, 2.0);
        assert_eq!((averages.failing_share, averages.messages_per_second), (0.25, 5.0));
        assert_eq!(rates.averages(at(109)).calls_per_second, 2.0);
        assert_eq!(rates.averages(at(110)).calls_per_second, 0.0);
        assert_eq!(rates.averages(at(111)), Averages::default());
    }

    #[test]
    fn apps_are_distinguished_by_scheme_and_host_and_limited_in_number() {
        let mut apps = Apps::default();
        let trouble = Trouble { cause: Some(Cause::TimedOut), text: "t".into() };

        let at = |url: &str| Address::Url(url.into());
        apps.call(&at("http://a:1/x/y"), 1, false, Some(&trouble));
        apps.call(&at("http://a:1/z?q"), 2, true, None);
        apps.call(&Address::InProcess, 3, true, None);
        (0..100).for_each(|app| apps.call(&at(&format!("http://h{app}/")), 4, true, None));

        let all = apps.all();
        assert_eq!(all.len(), MAX_APPS + 1);
        assert_eq!(all[0].url, None);
        let first = all.iter().find(|app| app.url.as_deref() == Some("http://a:1")).unwrap();
        assert_eq!(first.reachable, Some(true));
        assert_eq!(first.last_error.as_ref().unwrap().0, 1);
    }
}
