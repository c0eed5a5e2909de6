//! A value that is fetched at its first use and again before it expires.
//!
//! One task at a time fetches it, and all callers share its result. The task continues if a caller gives up,
//! so a slow fetch succeeds even if each caller has a short timeout.

use std::{error::Error, fmt, future::Future, sync::Arc, time::Duration};

use hub_net::clock::Clock;
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::instrument::WithSubscriber;

/// The pause after a failed fetch while there is no valid value. Callers get the failure of the last fetch.
const PAUSE: Duration = Duration::from_secs(5);

/// Why a fetch failed. All callers share it.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// Whether a value is still used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh,
    /// Still used while the next value is fetched.
    Stale,
    Expired,
}

/// A value and its fetches. `Debug` omits the value, which is a secret.
pub(crate) struct Renewal<T> {
    clock: Clock,
    /// The pause after a failed fetch while the old value is valid.
    pause_while_valid: Duration,
    state: Mutex<State<T>>,
}

impl<T> fmt::Debug for Renewal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}

struct State<T> {
    /// With the time of its fetch, measured from the app's start.
    held: Option<(T, Duration)>,
    failed: Option<(Cause, Duration)>,
    running: Option<Running<T>>,
}

type Outcome<T> = Result<T, Cause>;
type Running<T> = watch::Receiver<Option<Outcome<T>>>;

/// What a caller gets.
enum Found<T> {
    Now(Outcome<T>),
    Later(Running<T>),
}

impl<T: Clone + Send + Sync + 'static> Renewal<T> {
    pub(crate) fn new(clock: Clock, pause_while_valid: Duration) -> Arc<Self> {
        let state = Mutex::new(State { held: None, failed: None, running: None });
        Arc::new(Self { clock, pause_while_valid, state })
    }

    /// The last value, valid or not.
    pub(crate) fn held(&self) -> Option<T> {
        self.state.lock().held.as_ref().map(|(value, _)| value.clone())
    }

    /// The value. `age` gets the value and the time since its fetch. Needs a tokio runtime.
    pub(crate) async fn get<F>(
        self: &Arc<Self>,
        age: impl FnOnce(&T, Duration) -> Age,
        fetch: impl FnOnce() -> F,
    ) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
    {
        let mut running = match self.find(age, fetch) {
            Found::Now(outcome) => return outcome,
            Found::Later(running) => running,
        };
        let outcome = running.wait_for(Option::is_some).await;
        let outcome = outcome.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| {
            Err(Arc::from(Box::<dyn Error + Send + Sync>::from("the fetch panicked")))
        })
    }

    fn find<F>(
        self: &Arc<Self>,
        age: impl FnOnce(&T, Duration) -> Age,
        fetch: impl FnOnce() -> F,
    ) -> Found<T>
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
    {
        let now = self.clock.elapsed();
        let since = |then: Duration| now.saturating_sub(then);
        let mut state = self.state.lock();
        let valid = match &state.held {
            Some((value, fetched)) => match age(value, since(*fetched)) {
                Age::Fresh => return Found::Now(Ok(value.clone())),
                Age::Stale => Some(value.clone()),
                Age::Expired => None,
            },
            None => None,
        };
        let pause = if valid.is_some() { self.pause_while_valid } else { PAUSE };
        let failed = state.failed.as_ref().filter(|(_, failed)| since(*failed) < pause);
        if let Some((cause, _)) = failed {
            return Found::Now(valid.ok_or_else(|| Arc::clone(cause)));
        }
        // The sender is dropped when the task has ended, also by a panic.
        let running = state.running.take().filter(|running| running.has_changed().is_ok());
        let running = running.unwrap_or_else(|| self.start(fetch()));
        state.running = Some(running.clone());
        valid.map_or(Found::Later(running), |value| Found::Now(Ok(value)))
    }

    fn start(
        self: &Arc<Self>,
        fetch: impl Future<Output = Outcome<T>> + Send + 'static,
    ) -> Running<T> {
        let (sender, running) = watch::channel(None);
        let renewal = Arc::clone(self);
        let fetching = async move {
            let outcome = fetch.await;
            let now = renewal.clock.elapsed();
            let mut state = renewal.state.lock();
            match &outcome {
                Ok(value) => (state.held, state.failed) = (Some((value.clone(), now)), None),
                Err(cause) => state.failed = Some((Arc::clone(cause), now)),
            }
            sender.send_replace(Some(outcome));
        };
        tokio::spawn(fetching.with_current_subscriber());
        running
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn until(limit: u64) -> impl FnOnce(&u32, Duration) -> Age {
        move |_, age| if age < Duration::from_secs(limit) { Age::Fresh } else { Age::Expired }
    }

    fn failure() -> Outcome<u32> {
        Err(Arc::new(fmt::Error))
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_continues_when_its_callers_give_up_and_the_next_caller_gets_its_value() {
        let renewal = Renewal::new(Clock::start(), PAUSE);
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(7)
        };

        for _ in 0..2 {
            let asked = renewal.get(until(60), slow);
            assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err());
        }
        let started = tokio::time::Instant::now();

        assert_eq!(renewal.get(until(60), || async { failure() }).await.unwrap(), 7);
        assert_eq!(started.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_callers_share_one_fetch_and_one_failure_and_the_next_fetch_waits_for_five_seconds()
     {
        let (renewal, fetched) = (Renewal::new(Clock::start(), PAUSE), Arc::new(AtomicU32::new(0)));
        let fetch = || {
            let fetched = Arc::clone(&fetched);
            async move {
                fetched.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(10)).await;
                failure()
            }
        };

        let started = tokio::time::Instant::now();
        let asked = (0..20).map(|_| renewal.get(until(60), fetch));
        assert!(futures_util::future::join_all(asked).await.iter().all(Result::is_err));
        assert!(renewal.get(until(60), fetch).await.is_err());
        assert_eq!((started.elapsed().as_secs(), fetched.load(Ordering::SeqCst)), (10, 1));
        tokio::time::advance(PAUSE).await;
        assert_eq!(renewal.get(until(60), || async { Ok(7) }).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_panics_is_a_failure_and_the_next_caller_fetches_again() {
        let renewal = Renewal::new(Clock::start(), PAUSE);

        let failed = renewal.get(until(60), || async { panic!("a defect") }).await;

        assert_eq!(failed.unwrap_err().to_string(), "the fetch panicked");
        assert_eq!(renewal.get(until(60), || async { Ok(7) }).await.unwrap(), 7);
    }
}
