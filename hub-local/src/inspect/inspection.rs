//! The inspector of a running service: its recorder, and who may read it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hub_core::{Secret, signature};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    recorder::{Recorder, Settings},
    settings::Inspector,
};
use crate::{random, record::EventSink};

/// The largest number of readers that follow the events.
const MAX_FOLLOWERS: usize = 16;
/// How many wrong tokens are refused with 401 in [`WRONG_TOKENS_TIME`].
const MAX_WRONG_TOKENS: u32 = 20;
const WRONG_TOKENS_TIME: Duration = Duration::from_secs(10);
/// The text that tokens sign, to compare them in constant time.
const COMPARED: &str = "inspector token";

/// The inspector of one service.
pub(crate) struct Inspection {
    pub(crate) recorder: Arc<Recorder>,
    token: Secret,
    /// Whether the operator has given the token.
    pub(crate) is_token_given: bool,
    /// Identifies this run of the service.
    pub(crate) instance: String,
    /// Whether the service can be reached from other machines, which a random token does not allow.
    is_closed: AtomicBool,
    wrong_tokens: Mutex<(Instant, u32)>,
    pub(crate) followers: Arc<Semaphore>,
    contract: Mutex<Contract>,
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inspection")
    }
}

/// The hubs of the app, as `hub_core::Contract` writes them.
#[derive(Default)]
enum Contract {
    #[default]
    Unknown,
    /// Made when it is read first, because the start of an app should be fast.
    Later(Box<dyn FnOnce() -> Value + Send>),
    Known(Arc<Value>),
}

impl Inspection {
    /// `None`, and a line in the log, if the token is not valid. `keys` are the access keys of the service.
    pub(crate) fn new(
        settings: Inspector,
        keys: &[Secret],
        sink: Option<Box<dyn EventSink>>,
    ) -> Option<Self> {
        let Inspector { token, payloads, masks, has_page } = settings;
        let problem = token.as_ref().and_then(|it| Inspector::token_problem(it.expose()));
        if let Some(problem) = problem {
            tracing::error!("the inspector is off, because its token {problem}");
            return None;
        }
        let is_token_given = token.is_some();
        let token = token.unwrap_or_else(random::key);
        let secrets = keys.iter().chain([&token]).cloned().collect();
        Some(Self {
            recorder: Arc::new(Recorder::new(Settings { payloads, masks, secrets, sink })),
            token,
            is_token_given,
            instance: random::Id::random().text(),
            is_closed: AtomicBool::new(!has_page),
            wrong_tokens: Mutex::new((Instant::now(), 0)),
            followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            contract: Mutex::default(),
        })
    }

    /// The token for the page.
    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }

    /// The service can be reached from other machines: without a token of the operator, the inspector ends.
    pub(crate) fn beyond_loopback(&self) {
        if !self.is_token_given && !self.is_closed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the inspector is off, because the service can be reached from other machines: set a token for it"
            );
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }

    /// Whether this is the token. The comparison takes constant time.
    pub(crate) fn admits(&self, token: &str) -> bool {
        let signed = signature::sign(&Secret::from(token), COMPARED);
        let signed = std::iter::once(signed.as_bytes());
        signature::verify(signed, COMPARED, std::slice::from_ref(&self.token))
    }

    /// Counts a wrong token. Returns whether there were too many of late.
    pub(crate) fn has_too_many_wrong_tokens(&self) -> bool {
        let mut wrong = self.wrong_tokens.lock();
        if wrong.0.elapsed() >= WRONG_TOKENS_TIME {
            *wrong = (Instant::now(), 0);
        }
        wrong.1 = wrong.1.saturating_add(1);
        if wrong.1 == MAX_WRONG_TOKENS + 1 {
            tracing::warn!(
                "more than {MAX_WRONG_TOKENS} requests with a wrong token for the inspector in 10 s"
            );
        }
        wrong.1 > MAX_WRONG_TOKENS
    }

    /// The hubs of the app, if they are known.
    pub(crate) fn contract(&self) -> Option<Arc<Value>> {
        let mut contract = self.contract.lock();
        *contract = match std::mem::take(&mut *contract) {
            Contract::Later(make) => Contract::Known(Arc::new(make())),
            other => other,
        };
        match &*contract {
            Contract::Known(contract) => Some(Arc::clone(contract)),
            Contract::Unknown | Contract::Later(_) => None,
        }
    }

    pub(crate) fn set_contract(&self, contract: impl FnOnce() -> Value + Send + 'static) {
        *self.contract.lock() = Contract::Later(Box::new(contract));
    }
}

impl Drop for Inspection {
    fn drop(&mut self) {
        self.recorder.end();
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{event::Address, peer::Peer},
        *,
    };

    fn inspection(settings: Inspector) -> Option<Inspection> {
        Inspection::new(settings, &[], None)
    }

    #[test]
    fn only_the_whole_token_is_admitted() {
        let inspection = inspection(Inspector::new()).unwrap();
        let token = inspection.token().expose().to_owned();

        assert!(inspection.admits(&token));
        for other in ["", "x", &token[1..], &format!("{token}x"), &token.to_uppercase()] {
            assert!(!inspection.admits(other), "{other}");
        }
        let next = self::inspection(Inspector::new()).unwrap();
        assert!(!next.admits(&token) && next.instance != inspection.instance);
    }

    #[test]
    fn a_random_token_is_for_loopback_and_a_given_one_for_every_address() {
        let random = inspection(Inspector::new()).unwrap();
        let given = inspection(Inspector::new().token("0123456789abcdef")).unwrap();

        random.beyond_loopback();
        given.beyond_loopback();

        assert!(!random.is_open() && given.is_open());
    }

    #[test]
    fn the_recorder_of_a_dropped_service_is_dropped() {
        let inspection = inspection(Inspector::new()).unwrap();
        let recorder = Arc::downgrade(&inspection.recorder);
        let new = Peer::new(recorder.upgrade().unwrap(), "c".into(), "chat".into(), None);
        let peer = Arc::new(new);
        let reported = peer.recorder.reported(&peer, "connected");
        let running = peer.recorder.calls_app(&reported, 1, Some(Address::InProcess));

        drop(inspection);
        peer.recorder.disconnected(&peer, None);
        drop((peer, reported, running));

        assert!(recorder.upgrade().is_none());
    }

    #[test]
    fn a_token_that_is_short_or_needs_escapes_turns_the_inspector_off() {
        for token in ["", "short", "0123456789abcde", "0123456789abcdef#", "0123456789abcdeä"] {
            assert!(inspection(Inspector::new().token(token)).is_none(), "{token}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_wrong_tokens_are_counted_in_ten_seconds() {
        let inspection = inspection(Inspector::new()).unwrap();

        assert!((0..20).all(|_| !inspection.has_too_many_wrong_tokens()));
        assert!(inspection.has_too_many_wrong_tokens());
        tokio::time::advance(WRONG_TOKENS_TIME).await;
        assert!(!inspection.has_too_many_wrong_tokens());
    }
}
