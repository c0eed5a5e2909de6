//! Tests with a service that fails according to a script, on a clock that the test advances.

mod in_process;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use http::{Request, Response, Uri};
use tokio::time::Instant;

use super::{transport::Transport, *};
use crate::{
    auth::{EntraTokens, SignIn},
    config::{AccessToken, TokenSource, TokenSourceError},
};
use hub_net::clock::Clock;

fn unsealed() -> Arc<ClientTokens> {
    Arc::new(ClientTokens::new(&Uri::from_static("http://s"), None, 1))
}

/// The next reaction of the service.
#[derive(Clone, Copy, Debug)]
enum Step {
    Answer(u16),
    /// Throttles for this number of seconds.
    Throttle(u64),
    Refuse,
    Break,
    Hang,
}

/// A service with a script. Records the time of each call in seconds.
struct Scripted {
    steps: Mutex<VecDeque<Step>>,
    started: Instant,
    calls: Mutex<Vec<(u64, Request<Bytes>)>>,
}

#[async_trait]
impl Transport for Scripted {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
        self.calls.lock().unwrap().push((self.started.elapsed().as_secs(), request));
        let step = self.steps.lock().unwrap().pop_front().expect("one call too many");
        let mut answer = Response::builder();
        match step {
            Step::Answer(status) => answer = answer.status(status),
            Step::Throttle(seconds) => answer = answer.status(429).header("retry-after", seconds),
            Step::Refuse => return Err(SendError::Unreachable("refused".into())),
            Step::Break => return Err(SendError::Interrupted("reset".into())),
            Step::Hang => std::future::pending().await,
        }
        Ok(answer.body(Bytes::new()).unwrap())
    }
}

struct Fixture {
    rest: RestOutbound,
    service: Arc<Scripted>,
}

impl Fixture {
    fn new(steps: &[Step]) -> Self {
        Self::with(steps, RestOptions::default())
    }

    fn with(steps: &[Step], options: RestOptions) -> Self {
        let key = SignIn::Key("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH".into());
        Self::signed_in(steps, options, key)
    }

    fn signed_in(steps: &[Step], options: RestOptions, sign_in: SignIn) -> Self {
        let steps = Mutex::new(steps.iter().copied().collect());
        let service = Scripted { steps, started: Instant::now(), calls: Mutex::default() };
        let service = Arc::new(service);
        let transport = Arc::clone(&service) as Arc<dyn Transport>;
        let base = "https://x.example".to_owned();
        let client = RestClient::new(transport, base, sign_in, Clock::start(), options);
        Self {
            rest: RestOutbound {
                name: String::new(),
                client,
                tokens: unsealed(),
                is_json_only: AtomicBool::default(),
            },
            service,
        }
    }

    async fn send(&self) -> Result<(), SendError> {
        self.rest.send("chat", Target::All, payload()).await
    }

    async fn join(&self) -> Result<(), SendError> {
        let (connection_id, group) = ("c1".to_owned(), "g".to_owned());
        self.rest.change("chat", Change::JoinGroup { connection_id, group }).await
    }

    async fn close_all(&self) -> Result<(), SendError> {
        let whom = hub_core::outbound::CloseTarget::All { excluded: Vec::new() };
        self.rest.change("chat", Change::Close { whom, reason: None }).await
    }

    /// The seconds at which the service was called.
    fn called(&self) -> Vec<u64> {
        self.service.calls.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    /// The value of a header in each request.
    fn header(&self, name: &str) -> Vec<String> {
        let calls = self.service.calls.lock().unwrap();
        let values = calls.iter().filter_map(|(_, request)| request.headers().get(name));
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}

fn payload() -> Payload {
    payload_of(1)
}

/// Passes the payload of an untyped send to the test.
fn payload_of(argument: impl serde::Serialize) -> Payload {
    struct Kept(Mutex<Option<Payload>>);

    #[async_trait]
    impl Outbound for Kept {
        async fn send(&self, _: &str, _: Target, payload: Payload) -> Result<(), SendError> {
            *self.0.lock().unwrap() = Some(payload);
            Ok(())
        }
        async fn invoke(
            &self,
            _: &str,
            _: &str,
            _: Payload,
            _: Option<Duration>,
        ) -> Result<Bytes, InvokeError> {
            Err(InvokeError::ConnectionGone)
        }
        async fn change(&self, _: &str, _: Change) -> Result<(), SendError> {
            Ok(())
        }
        async fn check(&self, _: &str, _: Check) -> Result<bool, SendError> {
            Ok(true)
        }
        async fn members(
            &self,
            _: &str,
            _: &str,
            _: Option<String>,
        ) -> Result<MemberPage, SendError> {
            Ok(MemberPage::default())
        }
    }

    struct Chat;

    impl hub_core::Hub for Chat {
        const NAME: &'static str = "Chat";
        type Client = hub_core::Untyped;
        const METHODS: &'static [hub_core::private::Method<Self>] = &[];
        const NEGOTIATE: Option<hub_core::private::Negotiator<Self>> = None;

        fn filters() -> hub_core::private::Filters {
            hub_core::private::Filters::new()
        }
    }

    let kept = Arc::new(Kept(Mutex::default()));
    let outbound = Arc::clone(&kept) as Arc<dyn Outbound>;
    let context = hub_core::HubContext::<Chat>::new(outbound, "chat".into());
    let sending = context.clients().all().send("changed", (argument,));
    futures_util::FutureExt::now_or_never(sending).unwrap().unwrap();
    kept.0.lock().unwrap().take().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_message_is_retried_only_if_it_cannot_have_arrived() {
    use Step::{Answer, Break, Hang, Refuse, Throttle};

    for (steps, calls, arrives) in [
        (vec![Refuse, Refuse, Refuse, Answer(202)], 4, true),
        (vec![Throttle(3), Answer(202)], 2, true),
        (vec![Answer(429), Answer(202)], 2, true),
        (vec![Break], 1, false),
        (vec![Hang], 1, false),
        (vec![Answer(500)], 1, false),
        (vec![Answer(503)], 1, false),
        (vec![Answer(408)], 1, false),
        (vec![Answer(401)], 1, false),
    ] {
        let fixture = Fixture::new(&steps);

        let sent = fixture.send().await;

        assert_eq!((sent.is_ok(), fixture.called().len()), (arrives, calls), "{steps:?} {sent:?}");
        assert_eq!(
            sent.err().map(|error| error.may_have_happened()),
            match steps[0] {
                Break | Hang | Answer(408 | 500 | 503) => Some(true),
                Answer(401) => Some(false),
                _ => None,
            }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_change_is_retried_after_any_temporary_failure() {
    use Step::{Answer, Break, Hang};

    let fixture = Fixture::new(&[Break, Hang, Answer(502), Answer(200)]);

    fixture.join().await.unwrap();

    assert_eq!(fixture.called().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn closing_all_clients_is_not_retried() {
    let fixture = Fixture::new(&[Step::Break]);

    let closed = fixture.close_all().await;

    assert!(matches!(closed, Err(SendError::Interrupted(_))));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_not_repeated_after_it_was_sent() {
    for step in [Step::Break, Step::Answer(502)] {
        let fixture = Fixture::new(&[step]);
        let ada = hub_core::Negotiation::user("ada");

        assert!(fixture.rest.refresh("chat", "token", &ada).await.is_err(), "{step:?}");
        let connection_id = "c1".to_owned();
        let change = Change::Refresh { connection_id, negotiation: ada };
        let fixture = Fixture::new(&[step]);
        assert!(fixture.rest.change("chat", change).await.is_err(), "{step:?}");

        assert_eq!(fixture.called().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_the_service_determines_the_wait() {
    let fixture = Fixture::new(&[Step::Throttle(7), Step::Throttle(2), Step::Answer(202)]);

    fixture.send().await.unwrap();

    assert_eq!(fixture.called(), [0, 7, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_long_retry_after_ends_the_retries_and_is_returned() {
    let fixture = Fixture::new(&[Step::Throttle(60)]);

    let error = fixture.send().await.unwrap_err();

    let asked = Some(Duration::from_secs(60));
    assert!(matches!(error, SendError::Throttled { retry_after } if retry_after == asked));
}

#[tokio::test(start_paused = true)]
async fn after_the_last_attempt_its_failure_is_returned() {
    let fixture = Fixture::new(&[Step::Refuse, Step::Refuse, Step::Refuse, Step::Answer(429)]);

    let error = fixture.send().await.unwrap_err();

    assert!(matches!(error, SendError::Throttled { retry_after: None }));
    assert_eq!(fixture.called().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_applies_to_each_attempt_and_is_configurable() {
    let options = RestOptions {
        timeout: Duration::from_secs(5),
        retries: Retries::default().times(1).delay(Duration::ZERO),
        ..RestOptions::default()
    };
    let fixture = Fixture::with(&[Step::Hang, Step::Hang], options);

    let error = fixture.join().await.unwrap_err();

    assert!(matches!(error, SendError::TimedOut(time) if time == Duration::from_secs(5)));
    assert_eq!(fixture.called(), [0, 5]);
}

#[tokio::test(start_paused = true)]
async fn an_invocation_that_a_client_may_have_received_is_not_retried() {
    for step in [Step::Break, Step::Answer(500), Step::Answer(503)] {
        let fixture = Fixture::new(&[step]);

        let asked = fixture.rest.invoke("chat", "c1", payload(), None).await;

        assert_eq!((asked.is_err(), fixture.called().len()), (true, 1), "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_client_result_covers_all_attempts() {
    let fixture = Fixture::new(&[Step::Throttle(8), Step::Hang]);
    let begun = Instant::now();

    let timeout = Duration::from_secs(10);
    let error = fixture.rest.invoke("chat", "c1", payload(), Some(timeout)).await.unwrap_err();

    assert!(matches!(error, InvokeError::TimedOut(time) if time == timeout));
    assert_eq!(begun.elapsed(), timeout);
    assert_eq!(fixture.called(), [0, 8]);
}

#[tokio::test(start_paused = true)]
async fn a_late_attempt_gets_a_new_token() {
    let options = RestOptions {
        retries: Retries::default().max_delay(Duration::from_secs(200)),
        ..RestOptions::default()
    };
    let fixture = Fixture::with(&[Step::Throttle(120), Step::Answer(202)], options);

    fixture.send().await.unwrap();

    let tokens = fixture.header("authorization");
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_one_target_does_not_stop_the_others_and_is_reported_by_name() {
    let steps = [Step::Answer(202), Step::Answer(400), Step::Answer(202)];
    let fixture = Fixture::new(&steps);

    let users = ["ada", "bob", "eve"].map(str::to_owned).to_vec();
    let error = fixture.rest.send("chat", Target::Users(users), payload()).await.unwrap_err();

    // A second send to all three targets would reach two of them twice.
    assert!(error.may_have_happened());
    // The log must not contain names of users.
    assert!(!error.to_string().contains("bob"), "{error}");
    let SendError::Targets { failures, of: 3 } = error else { panic!("{error}") };
    let [failed] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!(failed.target, Target::User("bob".to_owned()));
    assert!(matches!(failed.error, SendError::Rejected { status: 400, .. }));
    assert_eq!(fixture.called().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_reached_no_target_has_not_happened() {
    let options = RestOptions { retries: Retries::none(), ..RestOptions::default() };
    let fixture = Fixture::with(&[Step::Refuse, Step::Answer(429), Step::Refuse], options);
    let send = async |users: &[&str]| {
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        fixture.rest.send("chat", Target::Users(users), payload()).await.unwrap_err()
    };

    let both = send(&["ada", "bob"]).await;
    let single = send(&["ada"]).await;

    assert!(!both.may_have_happened());
    assert!(matches!(both, SendError::Targets { failures, of: 2 } if failures.len() == 2));
    assert!(matches!(single, SendError::Unreachable(_)));
}

#[tokio::test(start_paused = true)]
async fn with_message_tracing_every_attempt_has_the_tracing_id() {
    let traced = RestOptions { trace_messages: true, ..RestOptions::default() };
    let steps = [Step::Refuse, Step::Answer(202), Step::Answer(202)];
    let fixture = Fixture::with(&steps, traced);
    let silent = Fixture::new(&[Step::Answer(202)]);

    fixture.send().await.unwrap();
    fixture.send().await.unwrap();
    silent.send().await.unwrap();

    let ids: Vec<_> = fixture.header("x-asrs-message-tracing-id");
    let numbers: Vec<u64> = ids.iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(numbers[0], numbers[1]);
    assert_eq!(numbers[2], numbers[0].wrapping_add(1));
    assert!(silent.header("x-asrs-message-tracing-id").is_empty());
    assert!(silent.header("asrs-user-agent")[0].starts_with("hub-runtime/"));
}

#[tokio::test(start_paused = true)]
async fn too_many_exclusions_for_a_request_head_are_refused_before_sending() {
    let fixture = Fixture::new(&[]);
    let excluded = (0..1000).map(|id| format!("connection-number-{id}")).collect();

    let error =
        fixture.rest.send("chat", Target::AllExcept(excluded), payload()).await.unwrap_err();

    assert!(matches!(error, SendError::HeadTooLarge { limit: 16_384, size } if size > 16_384));
}

/// A slow source, like a managed identity on a cold machine.
struct Slow(Duration);

#[async_trait]
impl TokenSource for Slow {
    async fn token(&self, _: &str) -> Result<AccessToken, TokenSourceError> {
        tokio::time::sleep(self.0).await;
        Ok(AccessToken::lasting("entra", Duration::from_secs(3600)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_identity_does_not_make_an_endpoint_unhealthy() {
    let limit = Duration::from_secs(2);
    let healthy = async |step: Step, token: u64| {
        let source = Arc::new(Slow(Duration::from_secs(token)));
        let entra = SignIn::Entra(Arc::new(EntraTokens::new(source, Clock::start())));
        let fixture = Fixture::signed_in(&[step], RestOptions::default(), entra);
        fixture.rest.client.is_healthy(limit).await
    };

    assert!(healthy(Step::Answer(200), 5).await);
    assert!(!healthy(Step::Answer(200), 11).await);
    assert!(!healthy(Step::Hang, 0).await);
    assert!(!healthy(Step::Answer(503), 0).await);
}
